# shellcheck shell=bash
# What every story of a broker on a real cluster begins with: the words of story.sh, kube.sh and kube-stand.sh.
. "$(dirname "${BASH_SOURCE[0]}")/story.sh"
. "$(dirname "${BASH_SOURCE[0]}")/kube.sh"
. "$(dirname "${BASH_SOURCE[0]}")/kube-stand.sh"
story_undo() { [ ! -s "$dir/kube/env" ] || kube_stop; }

# mutate NAME [BODY-FILE]: the certified mutation; the answer in $STAND/reply.json
mutate() { submit "$1" ${2:+--body "$2"} --id "$1"; }
said() { reply ".outcome.entry | fromjson | $1"; } # of the outcome's record
decided() { reply ".decision.entry | fromjson | $1"; }
