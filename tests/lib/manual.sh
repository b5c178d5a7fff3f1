# shellcheck shell=bash
# Examples of the manual pages, as whoever reads the page sees them: so tests run what the manual says.
#
#   manual_example PAGE NAME   the lines between `.\" begin NAME` and `.\" end` in docs/man/PAGE, without roff's escapes

manual_pages=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../docs/man" && pwd)
manual_example() {
    local lines
    lines=$(sed -n "/^\.\\\\\" begin $2\$/,/^\.\\\\\" end\$/p" "$manual_pages/$1" |
        sed '/^\.\\"/d; s/\\-/-/g; s/\\(aq/'\''/g; s/\\e/\\/g')
    [ -n "$lines" ] || { echo "$1 has no example $2" >&2; return 1; }
    printf '%s\n' "$lines"
}
