# Figures of scripts/bench as tables: rows "name p50 p99 per_second cpu" (µs but the third), and "cpu NAME process µs …".
$1 == "cpu" { cpu_row[$2] = $0; next }
{ order[++n] = $1; p50[$1] = $2; p99[$1] = $3; rate[$1] = $4; cpu[$1] = $5 }

# One mutation's way, primitive by primitive (docs/performance.md, "Floors"). No waiting is in it, and nothing that goes on beside.
function latency_floor(target, agents,    cores, keys, commits) {
    cores = agents == 1 ? "idle" : "busy"
    commits = p50["commit_read"] + p50["commit_decision"] + p50["commit_outcome"]
    keys = 3 * p50["verify"] + 2 * p50["hsm_sign"] + 2 * p50["tpm_sign"]
    return p50["bus_" cores] + 12 * p50["hop_" cores] + keys + commits + p50["get_" target] + p50["put_" target]
}
# CPU time of the same. At best as many mutations as there are agents share a commit and a signature of the TPM.
function cpu_floor(target, agents,    keys, commits) {
    commits = agents == 1 ? cpu["commit_read"] + cpu["commit_decision"] + cpu["commit_outcome"] : cpu["commit_" agents]
    keys = 3 * cpu["verify"] + 2 * cpu["hsm_sign"] + 2 * cpu["tpm_sign"] / agents
    return cpu["bus_busy"] + 12 * cpu["hop_busy"] + keys + commits + cpu["get_" target] + cpu["put_" target]
}
END {
    printf "\n%-22s %10s %10s %10s %10s\n", "primitive", "p50 µs", "p99 µs", "a second", "CPU µs"
    for (i = 1; i <= n; i++)
        if (order[i] !~ /^broker_/)
            printf "%-22s %10.1f %10.1f %10.0f %10.1f\n", order[i], p50[order[i]], p99[order[i]], rate[order[i]], cpu[order[i]]

    head = "\n%-7s %6s | %8s %8s %8s %6s %6s | %8s %8s %6s | %8s %8s %6s\n"
    line = "%-7s %6d | %8.2f %8.2f %8.2f %6.2f %6.2f | %8.0f %8.0f %6.2f | %8.0f %8.0f %6.2f\n"
    printf head, "target", "agents", "p50 ms", "p99 ms", "sum", "ratio", "queued", "a second", "floor", "ratio", "CPU µs", "floor", "ratio"
    for (i = 1; i <= n; i++) {
        if (split(order[i], part, "_") != 3 || part[1] != "broker")
            continue
        name = order[i]
        sum = latency_floor(part[2], part[3])
        work = cpu_floor(part[2], part[3])
        most = cores * 1e6 / work
        queued = part[3] * 1e6 / most
        queued = queued > sum ? queued : sum
        printf line, part[2], part[3], p50[name] / 1000, p99[name] / 1000, sum / 1000, p50[name] / sum, p50[name] / queued,
            rate[name], most, rate[name] / most, cpu[name], work, cpu[name] / work
    }
    print "sum: bus + 12 hops + 3 verify + 2 hsm_sign + 2 tpm_sign + 3 commits + get + put, p50 each; cores idle at 1 agent, else busy"
    print "floor of throughput: cores / CPU of the same, where all agents share commits and TPM signatures"
    print "queued: p50 over what N agents must wait at that throughput, N / floor, where that is more than the sum"

    printf "\nCPU µs of one mutation, by process | of the machine's others, and idle\n"
    for (i = 1; i <= n; i++)
        if (order[i] in cpu_row) {
            fields = split(cpu_row[order[i]], word, " ")
            printf "%-16s", substr(order[i], 8)
            for (j = 3; j < fields; j += 2)
                if (word[j] == "|") {
                    printf " |"
                    j--
                } else if (word[j + 1] >= 1)
                    printf " %s %.0f", word[j], word[j + 1]
            printf "\n"
        }
}
