# fish completion for dapr

function __dapr_complete
    set -l before (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l program $before[1]
    set -e before[1]

    set -l rows ($program __complete $before "$current" 2>/dev/null)
    set -l directive $rows[-1]
    set -e rows[-1]

    # Of --flag=value only the value is completed, but fish wants the whole.
    set -l prefix (string match --regex -- '^-.*=' "$current")
    for row in $rows
        printf '%s%s\n' "$prefix" "$row"
    end
    if test "$directive" = ':0'
        __fish_complete_path (string replace --regex -- '^-.*=' '' "$current")
    end
end

complete --command dapr --no-files --arguments '(__dapr_complete)'
