//! `dapr completion`: scripts that make shells complete command lines.
//!
//! The scripts know nothing themselves. They ask this program at every key,
//! with cobra's hidden command and its answer: one candidate a line, with its
//! description behind a tab, and at last a colon with what the shell may add.

mod candidates;

use crate::args::help;
use crate::commands::{self, Command};
use crate::console;
use candidates::{Candidates, candidates};

/// Asks for completions of the words that follow; the last one may be
/// unfinished or empty.
pub(crate) const REQUEST: &str = "__complete";
/// As [`REQUEST`], without descriptions.
pub(crate) const REQUEST_BARE: &str = "__completeNoDesc";

pub(crate) const COMMAND: Command = Command {
    name: "completion",
    usage: "completion",
    about: "Generates shell completion scripts.",
    example: "# bash: in this shell, and in every new one\n\
              source <(dapr completion bash)\n\
              echo 'source <(dapr completion bash)' >> ~/.bashrc\n\n\
              # zsh\n\
              dapr completion zsh > \"${fpath[1]}/_dapr\"\n\n\
              # fish\n\
              dapr completion fish > ~/.config/fish/completions/dapr.fish\n\n\
              # PowerShell\n\
              dapr completion powershell >> $PROFILE\n",
    flags: &[],
    run: |_, _| {
        console::out(&help(commands::find("completion")));
        0
    },
};

pub(crate) const BASH: Command = Command {
    name: "completion bash",
    usage: "completion bash",
    about: "Generates bash completion scripts.",
    example: "source <(dapr completion bash)\n",
    flags: &[],
    run: |cli, _| cli.console.data(include_bytes!("completion/dapr.bash")),
};

pub(crate) const ZSH: Command = Command {
    name: "completion zsh",
    usage: "completion zsh",
    about: "Generates zsh completion scripts.",
    example: "dapr completion zsh > \"${fpath[1]}/_dapr\"\n",
    flags: &[],
    run: |cli, _| cli.console.data(include_bytes!("completion/dapr.zsh")),
};

pub(crate) const FISH: Command = Command {
    name: "completion fish",
    usage: "completion fish",
    about: "Generates fish completion scripts.",
    example: "dapr completion fish | source\n",
    flags: &[],
    run: |cli, _| cli.console.data(include_bytes!("completion/dapr.fish")),
};

pub(crate) const POWERSHELL: Command = Command {
    name: "completion powershell",
    usage: "completion powershell",
    about: "Generates powershell completion scripts.",
    example: "dapr completion powershell | Out-String | Invoke-Expression\n",
    flags: &[],
    run: |cli, _| cli.console.data(include_bytes!("completion/dapr.ps1")),
};

/// Answers [`REQUEST`].
pub(crate) fn answer(words: &[String], described: bool) -> u8 {
    let Candidates { rows, files } = candidates(words);
    let mut text = String::new();
    for (word, about) in rows {
        text.push_str(&word);
        if described && !about.is_empty() {
            text.extend(["\t", about]);
        }
        text.push('\n');
    }
    // Cobra's numbers: the shell's own completion of files, or nothing more.
    text.push_str(if files { ":0\n" } else { ":4\n" });
    console::out(&text);
    0
}
