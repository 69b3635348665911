# PowerShell completion for dapr

Register-ArgumentCompleter -Native -CommandName 'dapr' -ScriptBlock {
    param($WordToComplete, $CommandAst, $CursorPosition)

    $Words = @($CommandAst.CommandElements |
        Where-Object { $_.Extent.StartOffset -lt $CursorPosition } |
        ForEach-Object { $_.Extent.Text })
    $Program = $Words[0]
    $Rest = @($Words | Select-Object -Skip 1)
    if ($WordToComplete -eq '') {
        # Before 7.3 an empty argument needs its quotes.
        $Rest += if ($PSVersionTable.PSVersion -lt [version]'7.3') { '""' } else { '' }
    }

    # Of --flag=value only the value is completed.
    $Prefix = if ($WordToComplete -match '^(-[^=]*=)') { $Matches[1] } else { '' }
    & $Program __complete @Rest 2>$null |
        Where-Object { -not $_.StartsWith(':') } |
        ForEach-Object {
            $Word, $About = $_ -split "`t", 2
            if (-not $About) { $About = $Word }
            [System.Management.Automation.CompletionResult]::new("$Prefix$Word", $Word, 'ParameterValue', $About)
        }
}
