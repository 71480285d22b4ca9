//! What a run came to, as one line of JSON.

use std::fmt;

/// Errors are listed up to this many: one reason is mostly the reason of all.
const SHOWN: usize = 3;

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) messages: u64,
    pub(crate) seconds: f64,
    pub(crate) errors: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = if self.seconds > 0.0 { self.messages as f64 / self.seconds } else { 0.0 };
        write!(
            formatter,
            "{{\"messages\": {}, \"seconds\": {:.6}, \"rate\": {rate:.1}, \"failed\": {}, \"errors\": [",
            self.messages,
            self.seconds,
            self.errors.len()
        )?;
        for (number, error) in self.errors.iter().take(SHOWN).enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            write!(formatter, "{separator}{}", quoted(error))?;
        }
        formatter.write_str("]}")
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_json_whatever_the_errors_say() {
        let report = Report { messages: 10, seconds: 2.0, errors: vec!["a \"b\" \\ \n".into(), "c".into()] };
        let expected =
            r#"{"messages": 10, "seconds": 2.000000, "rate": 5.0, "failed": 2, "errors": ["a \"b\" \\ \u000a", "c"]}"#;
        assert_eq!(report.to_string(), expected);
    }
}
