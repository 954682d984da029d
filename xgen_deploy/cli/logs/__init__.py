"""`logs`: what is asked for, the streams and their lines."""
