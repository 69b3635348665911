//! The command line.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::peers::{direct, foreign, nginx, ours};

/// All subcommands; `origin` and `exec` are for this program's own children.
pub(crate) fn command() -> Command {
    Command::new("bench")
        .about("Loads sidecars and other proxies and compares what they cost")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("quick")
                .about("All peers, interleaved rounds, ratio table and bounds, in less than four minutes")
                .arg(number("rounds", "7", "Measured rounds; the bounds ask for at least 7"))
                .arg(seconds("secs", "1.2", "Seconds measured per peer, scenario and round"))
                .arg(
                    Arg::new("peers")
                        .long("peers")
                        .value_delimiter(',')
                        .value_parser([direct::NAME, nginx::NAME, ours::NAME, foreign::NAME])
                        .help("Only these peers [default: all that are there]"),
                ),
        )
        .subcommand(
            Command::new("http")
                .about("Loads one peer and prints what it cost as JSON")
                .arg(peer())
                .arg(
                    Arg::new("url")
                        .long("url")
                        .conflicts_with("peer")
                        .help("Something that runs already: http://127.0.0.1:<port>/<path>, an echo of what is posted"),
                )
                .arg(number("conns", "16", "Connections"))
                .arg(rate())
                .arg(seconds("secs", "10", "Seconds measured")),
        )
        .subcommand(
            Command::new("grpc")
                .about("The same with unary gRPC calls through the transparent proxy")
                .arg(peer())
                .arg(number("conns", "16", "Connections"))
                .arg(number("at-once", "16", "Calls at a time over all connections"))
                .arg(rate())
                .arg(seconds("secs", "10", "Seconds measured")),
        )
        .subcommand(
            Command::new("streams")
                .about("Prints what idle gRPC streams keep in the memory of one pair")
                .arg(peer())
                .arg(number("n", "1000", "Bidirectional streams"))
                .arg(number("conns", "10", "Connections they share")),
        )
        .subcommand(
            Command::new("rss")
                .about("Prints the memory of one pair, idle and with idle connections")
                .arg(peer())
                .arg(seconds("idle", "5", "Seconds of rest before the first look"))
                .arg(number("conns", "0", "Idle keep-alive connections to open then")),
        )
        .subcommand(
            Command::new("start")
                .about("Times a sidecar from exec to ready")
                .arg(peer())
                .arg(number("n", "30", "Starts")),
        )
        .subcommand(Command::new("origin").hide(true))
        .subcommand(
            Command::new("exec")
                .hide(true)
                .disable_help_flag(true)
                .arg(Arg::new("parent").required(true).value_parser(value_parser!(u32)))
                .arg(Arg::new("program").required(true))
                .arg(
                    Arg::new("arguments")
                        .action(ArgAction::Append)
                        .num_args(0..)
                        .trailing_var_arg(true)
                        .allow_hyphen_values(true),
                ),
        )
}

fn peer() -> Arg {
    Arg::new("peer")
        .long("peer")
        .default_value(ours::NAME)
        .value_parser([direct::NAME, nginx::NAME, ours::NAME, foreign::NAME])
        .help("Which one")
}

fn rate() -> Arg {
    Arg::new("rate")
        .long("rate")
        .value_parser(value_parser!(f64))
        .help("Requests per second [default: as fast as answers come]")
}

fn number(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .default_value(default)
        .value_parser(value_parser!(usize))
        .help(help)
}

fn seconds(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .default_value(default)
        .value_parser(parse_seconds)
        .help(help)
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| *duration <= Duration::from_hours(1))
        .ok_or_else(|| format!("{text} is not a number of seconds between 0 and 3600"))
}

/// A value with a default.
pub(crate) fn required<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> T {
    matches
        .get_one::<T>(name)
        .expect("the argument has a default or is required")
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn an_executed_program_keeps_its_own_options() {
        let matches = command()
            .try_get_matches_from(["bench", "exec", "7", "/bin/x", "--help", "-c", "y"])
            .unwrap();
        let (_, exec) = matches.subcommand().unwrap();
        let arguments: Vec<&String> = exec.get_many("arguments").unwrap().collect();
        assert_eq!(arguments, ["--help", "-c", "y"]);
    }

    #[test]
    fn durations_are_bounded() {
        assert_eq!(parse_seconds("1.5"), Ok(Duration::from_millis(1500)));
        for bad in ["-1", "x", "", "3601", "NaN", "inf"] {
            assert!(parse_seconds(bad).is_err(), "{bad}");
        }
    }
}
