//! Dates as HTTP writes them (RFC 9110, section 5.6.7).

use std::time::SystemTime;

/// A date that HTTP can write: httpdate panics before 1970 and after 9999.
pub(crate) fn http_date(time: SystemTime) -> Option<String> {
    const END_OF_9999: u64 = 253_402_300_799;
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    (seconds <= END_OF_9999).then(|| httpdate::fmt_http_date(time))
}
