# Small files of the kernel's.

# A file's text without line ends around it, empty where it cannot be read.
text_of() {
    text=
    [ -r "$1" ] && [ -f "$1" ] && text=$(head -c 1048576 -- "$1" 2>/dev/null)
}

# $number: a decimal or 0x number in a file.
number_in() {
    text_of "$1"
    number=
    case $text in
    0x | 0x*[!0-9a-fA-F]* | 0x?????????????????*) ;;
    0x*) number=$(($text)) ;;
    *[!0-9]* | '') ;;
    *) number=$text ;;
    esac
}
