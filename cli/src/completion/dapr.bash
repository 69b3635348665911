# bash completion for dapr

__dapr_complete() {
    local program=${COMP_WORDS[0]} words=() at line directive=4 i

    # bash breaks words at the equals sign of --flag=value.
    for ((i = 1; i <= COMP_CWORD; i++)); do
        at=${#words[@]}
        if ((at > 0)) && [[ ${COMP_WORDS[i]} == '=' || ${COMP_WORDS[i - 1]} == '=' ]]; then
            words[at - 1]+=${COMP_WORDS[i]}
        else
            words[at]=${COMP_WORDS[i]}
        fi
    done
    if [[ $program == '~/'* ]]; then
        program=$HOME/${program:2}
    fi

    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :* ]]; then
            directive=${line#:}
        else
            COMPREPLY+=("$line")
        fi
    done < <("$program" __completeNoDesc "${words[@]}" 2>/dev/null)

    if [[ $directive == 0 ]]; then
        compopt -o default 2>/dev/null
    fi
}

complete -F __dapr_complete dapr
