//! The head of a frame (RFC 6455, section 5.2).

use crate::error::Error;
use crate::role::Role;

/// The longest payload of a control frame, in bytes.
pub const MAX_CONTROL: usize = 125;
/// The longest head: two bytes, eight of length, four of mask.
pub(crate) const MAX_HEAD: usize = 14;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message that an earlier frame began.
    Continuation,
    /// A message in UTF-8, or its beginning.
    Text,
    /// A message of bytes, or its beginning.
    Binary,
    /// The closing handshake.
    Close,
    /// To be answered by a pong with the same payload.
    Ping,
    /// The answer to a ping, or an unsolicited pong.
    Pong,
}

impl Opcode {
    fn read(bits: u8) -> Result<Self, Error> {
        match bits {
            0x0 => Ok(Self::Continuation),
            0x1 => Ok(Self::Text),
            0x2 => Ok(Self::Binary),
            0x8 => Ok(Self::Close),
            0x9 => Ok(Self::Ping),
            0xA => Ok(Self::Pong),
            _ => Err(Error::protocol("a reserved opcode")),
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    pub(crate) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) fin: bool,
    /// RSV1: the message is compressed (RFC 7692, section 6).
    pub(crate) compressed: bool,
    pub(crate) opcode: Opcode,
    pub(crate) mask: Option<[u8; 4]>,
    pub(crate) length: u64,
}

impl Head {
    /// Reads a head from the start of `bytes`, with its own length. `None`: more bytes are needed.
    ///
    /// What can be refused is refused as soon as its byte is there.
    pub(crate) fn read(bytes: &[u8], role: Role, compression: bool) -> Result<Option<(Self, usize)>, Error> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let (fin, compressed) = (first & 0x80 != 0, first & 0x40 != 0);
        let opcode = Opcode::read(first & 0x0F)?;
        if first & 0x30 != 0 || (compressed && !compression) {
            return Err(Error::protocol("a reserved bit that no extension uses"));
        }
        if compressed && !matches!(opcode, Opcode::Text | Opcode::Binary) {
            return Err(Error::protocol("a compression bit on a frame that cannot have one"));
        }
        if opcode.is_control() && !fin {
            return Err(Error::protocol("a control frame in fragments"));
        }
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let masked = second & 0x80 != 0;
        match (role, masked) {
            (Role::Server, false) => return Err(Error::protocol("a frame from a client without a mask")),
            (Role::Client, true) => return Err(Error::protocol("a frame from a server with a mask")),
            _ => {}
        }
        let short = second & 0x7F;
        if opcode.is_control() && usize::from(short) > MAX_CONTROL {
            return Err(Error::protocol("a control frame of more than 125 bytes"));
        }
        let (length, at) = match short {
            126 => match bytes.get(2..4) {
                Some(&[a, b]) => (u64::from(u16::from_be_bytes([a, b])), 4),
                _ => return Ok(None),
            },
            127 => match bytes.get(2..10).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()) {
                Some(bytes) => (u64::from_be_bytes(bytes), 10),
                None => return Ok(None),
            },
            short => (u64::from(short), 2),
        };
        if length >> 63 != 0 {
            return Err(Error::protocol("a frame length with its highest bit set"));
        }
        if (short == 126 && length < 126) || (short == 127 && length <= u64::from(u16::MAX)) {
            return Err(Error::protocol("a frame length in more bytes than it needs"));
        }
        if !masked {
            return Ok(Some((Self { fin, compressed, opcode, mask: None, length }, at)));
        }
        Ok(match bytes.get(at..at + 4) {
            Some(&[a, b, c, d]) => Some((Self { fin, compressed, opcode, mask: Some([a, b, c, d]), length }, at + 4)),
            _ => None,
        })
    }

    /// Appends the head to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.fin) << 7 | u8::from(self.compressed) << 6 | self.opcode.bits());
        let masked = u8::from(self.mask.is_some()) << 7;
        match (u8::try_from(self.length), u16::try_from(self.length)) {
            (Ok(length @ ..=125), _) => out.push(masked | length),
            (_, Ok(length)) => {
                out.push(masked | 126);
                out.extend_from_slice(&length.to_be_bytes());
            }
            _ => {
                out.push(masked | 127);
                out.extend_from_slice(&self.length.to_be_bytes());
            }
        }
        if let Some(key) = self.mask {
            out.extend_from_slice(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opcodes() -> impl Strategy<Value = Opcode> {
        prop_oneof![Just(Opcode::Continuation), Just(Opcode::Text), Just(Opcode::Binary)]
    }

    proptest! {
        #[test]
        fn a_head_reads_back(fin: bool, opcode in opcodes(), mask: Option<[u8; 4]>, length in 0_u64..1 << 63) {
            let head = Head { fin, compressed: false, opcode, mask, length };
            let role = if mask.is_some() { Role::Server } else { Role::Client };
            let mut bytes = Vec::new();
            head.write(&mut bytes);
            prop_assert!(bytes.len() <= MAX_HEAD);
            for cut in 0..bytes.len() {
                prop_assert_eq!(Head::read(&bytes[..cut], role, false), Ok(None));
            }
            prop_assert_eq!(Head::read(&bytes, role, false), Ok(Some((head, bytes.len()))));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, compression: bool) {
            let _ = Head::read(&bytes, Role::Server, compression);
            let _ = Head::read(&bytes, Role::Client, compression);
        }
    }
}
