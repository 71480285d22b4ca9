//! Errors in request heads that hyper would let pass.

use http::StatusCode;

/// A reason to refuse a request whose head parses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum HeadError {
    LengthAndCoding = 1,
    SeveralCodings,
    UnknownCoding,
    DifferentLengths,
    NoHost,
    SeveralHosts,
    BadHost,
    BareLineFeed,
    HostIsNotAuthority,
    Framing,
    TooManyFields,
    BadScheme,
    BadTarget,
    HeadTooLarge,
    RawTarget,
    Fragment,
}

impl HeadError {
    const ALL: [Self; 16] = [
        Self::LengthAndCoding,
        Self::SeveralCodings,
        Self::UnknownCoding,
        Self::DifferentLengths,
        Self::NoHost,
        Self::SeveralHosts,
        Self::BadHost,
        Self::BareLineFeed,
        Self::HostIsNotAuthority,
        Self::Framing,
        Self::TooManyFields,
        Self::BadScheme,
        Self::BadTarget,
        Self::HeadTooLarge,
        Self::RawTarget,
        Self::Fragment,
    ];

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|head_error| *head_error as u8 == code)
    }

    /// 501 for a transfer coding that is not known here (RFC 9112, section 6.1), 431 for too many or too large fields
    /// (RFC 6585), else 400.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::UnknownCoding => StatusCode::NOT_IMPLEMENTED,
            Self::TooManyFields | Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::LengthAndCoding => {
                "Content-Length and Transfer-Encoding exclude each other (RFC 9112, section 6.1)\n"
            }
            Self::SeveralCodings => "only one Transfer-Encoding field is accepted\n",
            Self::UnknownCoding => "the only transfer coding known here is: chunked\n",
            Self::DifferentLengths => "Content-Length must be one number (RFC 9112, section 6.3)\n",
            Self::NoHost => "an HTTP/1.1 request needs a Host field (RFC 9112, section 3.2)\n",
            Self::SeveralHosts => "a request has one Host field only (RFC 9112, section 3.2)\n",
            Self::BadHost => "the Host field must be a host with an optional port (RFC 9110, section 7.2)\n",
            Self::BareLineFeed => "lines must end in CR LF (RFC 9112, section 2.2)\n",
            Self::HostIsNotAuthority => "the Host field and :authority differ (RFC 9113, section 8.3.1)\n",
            Self::TooManyFields => "the request has more header fields than header_count allows\n",
            Self::HeadTooLarge => "the request head is larger than head_size allows\n",
            Self::BadScheme => "the scheme must be http or https\n",
            Self::BadTarget => {
                "the request target must begin with a slash, that of CONNECT be a host (RFC 9112, section 3.2)\n"
            }
            Self::RawTarget => "the request target has characters that must be percent-encoded (RFC 3986, section 2)\n",
            Self::Fragment => "a request target has no fragment: write %23 for a '#' (RFC 9112, section 3.2)\n",
            Self::Framing => "the request before this one was malformed\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_reversible() {
        for head_error in HeadError::ALL {
            assert_eq!(HeadError::from_code(head_error as u8), Some(head_error));
        }
        assert_eq!(HeadError::from_code(0), None);
    }
}
