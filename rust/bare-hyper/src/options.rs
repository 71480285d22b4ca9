//! The command line.

use std::path::PathBuf;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) threads: usize,
    pub(crate) port: u16,
    /// The directory below `/static`.
    pub(crate) files: PathBuf,
}

impl Options {
    /// Reads `--threads N --port P --static DIRECTORY`; each has a default.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { threads: 1, port: 3000, files: PathBuf::from("static") };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value: {name} VALUE"))?;
            let wrong = |expected: &str| format!("{name} {value:?} is not {expected}: try {name} 2");
            match name.as_str() {
                "--threads" => options.threads = value.parse().map_err(|_| wrong("a number of threads"))?,
                "--port" => options.port = value.parse().map_err(|_| wrong("a port"))?,
                "--static" => options.files = PathBuf::from(value),
                _ => return Err(format!("{name:?} is not an option: use --threads, --port and --static")),
            }
        }
        options.threads = options.threads.max(1);
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_every_option() {
        let expected = Options { threads: 2, port: 8080, files: PathBuf::from("/srv") };
        assert_eq!(parse("--threads 2 --static /srv --port 8080").unwrap(), expected);
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(parse("--port many").unwrap_err().contains("\"many\""));
        assert!(parse("--threads").unwrap_err().contains("needs a value"));
        assert!(parse("--workers 2").unwrap_err().contains("--threads"));
    }
}
