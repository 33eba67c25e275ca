_neuron_ls() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    case "$before" in
        --source) COMPREPLY=($(compgen -W "sysfs model aws replay" -- "$word")); return ;;
        --lnc) return ;;
    esac
    COMPREPLY=($(compgen -W "-w --wide -a --show-all-procs -t --topology -j --json-output --json --source --all-devices --lnc --no-imds --version -h --help" -- "$word"))
}
complete -o bashdefault -o default -F _neuron_ls neuron-ls
