//! The command line.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) port: u16,
    pub(crate) path: String,
    pub(crate) connections: usize,
    pub(crate) duration: Duration,
    /// Bytes per message.
    pub(crate) size: usize,
}

impl Options {
    /// Reads `--port P --path PATH --connections C --seconds S --size BYTES`; each has a default.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options =
            Self { port: 3000, path: "/echo".into(), connections: 64, duration: Duration::from_secs(1), size: 32 };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value: {name} VALUE"))?;
            match name.as_str() {
                "--port" => options.port = number(&name, &value)?,
                "--path" => options.path = value,
                "--connections" => options.connections = number(&name, &value)?,
                "--seconds" => {
                    let seconds = number(&name, &value)?;
                    options.duration = Duration::try_from_secs_f64(seconds)
                        .map_err(|error| format!("--seconds {value:?}: {error}"))?;
                }
                "--size" => options.size = number(&name, &value)?,
                _ => {
                    return Err(format!(
                        "{name:?} is not an option: use --port, --path, --connections, --seconds and --size"
                    ));
                }
            }
        }
        Ok(options)
    }
}

fn number<T: FromStr<Err: Display>>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("{name} {value:?}: {error}: give a number, such as {name} 10"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_every_option() {
        let options = parse("--port 80 --path /chat --connections 3 --seconds 1.5 --size 200").unwrap();
        let duration = Duration::from_millis(1500);
        assert_eq!(options, Options { port: 80, path: "/chat".into(), connections: 3, duration, size: 200 });
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(parse("--port x").unwrap_err().contains("--port \"x\""));
        assert!(parse("--seconds -1").unwrap_err().contains("--seconds \"-1\""));
        assert!(parse("--seconds").unwrap_err().contains("needs a value"));
        assert!(parse("--rate 2").unwrap_err().contains("--connections"));
    }
}
