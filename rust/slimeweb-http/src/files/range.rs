//! The Range field (RFC 9110, section 14.2).

/// What a Range field asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ranged {
    /// Everything: several ranges, another unit, or nonsense.
    Whole,
    /// Bytes `start` to `end`, both included.
    Part { start: u64, end: u64 },
    /// Nothing that there is.
    Unsatisfiable,
}

/// What `value` asks for of `size` bytes.
pub(super) fn parse(value: &str, size: u64) -> Ranged {
    let range = value.split_once('=').filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"));
    let Some((first, last)) = range.and_then(|(_, range)| range.trim().split_once('-')) else { return Ranged::Whole };
    let (Some(first), Some(last)) = (number(first), number(last)) else { return Ranged::Whole };
    match (first, last) {
        (Some(first), Some(last)) if first > last => Ranged::Whole,
        (Some(start), _) if start >= size => Ranged::Unsatisfiable,
        (Some(start), last) => Ranged::Part { start, end: last.unwrap_or(u64::MAX).min(size - 1) },
        (None, Some(0)) => Ranged::Unsatisfiable,
        (None, Some(_)) if size == 0 => Ranged::Unsatisfiable,
        (None, Some(suffix)) => Ranged::Part { start: size.saturating_sub(suffix), end: size - 1 },
        (None, None) => Ranged::Whole,
    }
}

/// None for what is no number, an inner none for nothing at all. A number too large to count counts as the largest.
fn number(text: &str) -> Option<Option<u64>> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let part = |start, end| Ranged::Part { start, end };
        for (value, size, expected) in [
            ("bytes=0-0", 10, part(0, 0)),
            ("bytes=2-", 10, part(2, 9)),
            ("Bytes=2-99999999999999999999999", 10, part(2, 9)),
            ("bytes=-3", 10, part(7, 9)),
            ("bytes=-30", 10, part(0, 9)),
            ("bytes=10-", 10, Ranged::Unsatisfiable),
            ("bytes=-0", 10, Ranged::Unsatisfiable),
            ("bytes=-1", 0, Ranged::Unsatisfiable),
            ("bytes=0-", 0, Ranged::Unsatisfiable),
            ("bytes=0-1,3-4", 10, Ranged::Whole),
            ("bytes=5-2", 10, Ranged::Whole),
            ("bytes=-", 10, Ranged::Whole),
            ("bytes=a-b", 10, Ranged::Whole),
            ("lines=1-2", 10, Ranged::Whole),
            ("bytes", 10, Ranged::Whole),
        ] {
            assert_eq!(parse(value, size), expected, "{value}");
        }
    }
}
