#compdef neuron-ls

_arguments -s \
    '(-w --wide)'{-w,--wide}'[Show commands with up to 80 characters]' \
    '(-a --show-all-procs)'{-a,--show-all-procs}'[Show processes without a Neuron runtime too, such as tools]' \
    '(-t --topology)'{-t,--topology}'[Draw the links between the devices]' \
    '(-j --json-output)'{-j,--json-output}'[Print JSON]' \
    '--json[The same as --json-output]' \
    '--source=[What to read\: sysfs\[\:ROOT\], model\[\:SOCKET\], aws\[\:COMMAND|-\] or replay\:\[PATH\]\[@TIME\]; else $NEURONTOOLS_SOURCE, else this host]:SOURCE:(sysfs model aws replay)' \
    '--all-devices[Of this host\: devices that this container was not granted, too]' \
    '--lnc=[Of this host\: physical cores per logical core; else what is known, or usual for the chip]:N: ' \
    '--no-imds[Of this host\: ask no questions to the instance metadata service]' \
    '--version[Print the release]' \
    '(-h --help)'{-h,--help}'[Show this help message]'
