# Counts what tests said. Sourced; needs nothing. A test prints one "ok - name" or "not ok - name" line a check; automake writes
# its .log and, in the .trs beside it, how the program ended.
passed=0 failed=0 skipped=0

# count_text FILE: the checks of one run that isn't automake's.
count_text() {
    passed=$((passed + $(grep -c '^ok - ' "$1" || true)))
    failed=$((failed + $(grep -c '^not ok - ' "$1" || true)))
}

# count_tree DIR: all that `make check` ran in a build tree.
count_tree() {
    local trs log ok bad
    while IFS= read -r trs; do
        log=${trs%.trs}.log
        ok=$(grep -c '^ok - ' "$log" || true) bad=$(grep -c '^not ok - ' "$log" || true)
        passed=$((passed + ok)) failed=$((failed + bad))
        case $(sed -n 's/^:global-test-result: //p' "$trs") in
            PASS) [ "$ok" -gt 0 ] || { echo "not ok - $log says nothing"; failed=$((failed + 1)); } ;;
            SKIP) skipped=$((skipped + 1)); echo "# skipped: $log: $(tail -n 1 "$log")" ;;
            *) [ "$bad" -gt 0 ] || failed=$((failed + 1)); echo "# failed: $log"; grep -h -A3 '^not ok - ' "$log" | head -n 20 || tail -n 20 "$log" ;;
        esac
    done < <(find "$1/tests" -name '*.trs' | sort)
}
