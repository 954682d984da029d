"""What changes, told to every open page: from one look at the hosts for all of them."""
