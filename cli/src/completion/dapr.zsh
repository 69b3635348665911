#compdef dapr

_dapr() {
    local -a rows candidates
    local row directive

    rows=("${(@f)$(${~words[1]} __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    directive=${rows[-1]}
    for row in "${(@)rows[1,-2]}"; do
        # _describe has a colon between word and description.
        if [[ $row == *$'\t'* ]]; then
            candidates+=("${${row%%$'\t'*}//:/\\:}:${row#*$'\t'}")
        else
            candidates+=("${row//:/\\:}")
        fi
    done

    # Of --flag=value only the value is completed.
    if [[ $PREFIX == -*=* ]]; then
        compset -P '*='
    fi
    if (( $#candidates )); then
        _describe -t values 'completions' candidates
    elif [[ $directive == ':0' ]]; then
        _files
    fi
}

if [[ $funcstack[1] == _dapr ]]; then
    _dapr "$@"
else
    compdef _dapr dapr
fi
