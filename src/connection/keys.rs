//! CURVE keys: who may talk to whom. A key is 32 bytes, and as text 40 characters of Z85
//! (ZeroMQ RFC 32). Errors and Debug never show a secret key.

use std::ffi::{c_char, c_int};
use std::fmt;

use crate::connection::process;
use crate::error::{Error, Result, Status};

/// A key in bytes.
pub const KEY_BYTES: usize = 32;

/// A key as text.
pub const KEY_CHARACTERS: usize = 40;

/// Four bytes make five characters of Z85.
const GROUP_BYTES: usize = 4;
const GROUP_CHARACTERS: usize = 5;

const ALPHABET: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// The half of a key pair that everybody may know. It names its owner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; KEY_BYTES]);

/// The half of a key pair that stays with its owner.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; KEY_BYTES]);

/// A public key and the secret key that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// To be given to the other side.
    pub public: PublicKey,
    /// To be kept.
    pub secret: SecretKey,
}

impl KeyPair {
    /// A new pair from the random numbers of the system. UNSUPPORTED when the libzmq underneath
    /// has no CURVE.
    pub fn generate() -> Result<KeyPair> {
        require_curve()?;
        let mut public = [0 as c_char; KEY_CHARACTERS + 1];
        let mut secret = [0 as c_char; KEY_CHARACTERS + 1];
        let _libsodiums_lock = process::without_forks();
        // SAFETY: both buffers have room for 40 characters and the NUL that it writes.
        let done = unsafe { zmq_sys::zmq_curve_keypair(public.as_mut_ptr(), secret.as_mut_ptr()) };
        if done != 0 {
            return Err(failed("making a CURVE key pair"));
        }
        Ok(KeyPair {
            public: PublicKey(decode_c(&public)?),
            secret: SecretKey(decode_c(&secret)?),
        })
    }
}

impl PublicKey {
    /// From 40 characters of Z85.
    pub fn from_z85(text: &str) -> Result<PublicKey> {
        decode_key(text.as_bytes()).map(PublicKey)
    }

    /// From 32 bytes, or from the 40 characters as bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<PublicKey> {
        key_of(bytes).map(PublicKey)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The 40 characters.
    pub fn to_z85(&self) -> String {
        encode_key(&self.0)
    }
}

impl SecretKey {
    /// From 40 characters of Z85.
    pub fn from_z85(text: &str) -> Result<SecretKey> {
        decode_key(text.as_bytes()).map(SecretKey)
    }

    /// From 32 bytes, or from the 40 characters as bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<SecretKey> {
        key_of(bytes).map(SecretKey)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The 40 characters.
    pub fn to_z85(&self) -> String {
        encode_key(&self.0)
    }

    /// The public key that belongs to it. UNSUPPORTED when the libzmq underneath has no CURVE.
    pub fn public(&self) -> Result<PublicKey> {
        public_from_secret(self)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.to_z85())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_z85())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

/// The public key that belongs to a secret one. UNSUPPORTED when the libzmq underneath has no
/// CURVE.
pub fn public_from_secret(secret: &SecretKey) -> Result<PublicKey> {
    require_curve()?;
    let mut public = [0 as c_char; KEY_CHARACTERS + 1];
    let mut text = [0 as c_char; KEY_CHARACTERS + 1];
    for (to, from) in text.iter_mut().zip(secret.to_z85().bytes()) {
        *to = from as c_char;
    }
    let _libsodiums_lock = process::without_forks();
    // SAFETY: `public` has room for 40 characters and a NUL; `text` is 40 characters and a NUL.
    let done = unsafe { zmq_sys::zmq_curve_public(public.as_mut_ptr(), text.as_ptr()) };
    if done != 0 {
        return Err(failed("deriving a public CURVE key"));
    }
    decode_c(&public).map(PublicKey)
}

/// Whether the libzmq underneath can do CURVE.
pub fn has_curve() -> bool {
    // SAFETY: the argument is a C string.
    unsafe { zmq_sys::zmq_has(c"curve".as_ptr()) == 1 }
}

/// UNSUPPORTED when the libzmq underneath cannot do CURVE.
pub(crate) fn require_curve() -> Result<()> {
    if has_curve() {
        return Ok(());
    }
    Err(Error::new(
        Status::Unsupported,
        "the libzmq underneath was built without CURVE; use the one that comes with dividere",
    ))
}

fn failed(doing: &str) -> Error {
    // SAFETY: no arguments; it reads the errno of this thread.
    let errno: c_int = unsafe { zmq_sys::zmq_errno() };
    let reason = std::io::Error::from_raw_os_error(errno);
    Error::new(Status::Internal, format!("{doing} failed: {reason}"))
}

fn key_of(bytes: &[u8]) -> Result<[u8; KEY_BYTES]> {
    if bytes.len() == KEY_CHARACTERS {
        return decode_key(bytes);
    }
    match <[u8; KEY_BYTES]>::try_from(bytes) {
        Ok(key) => checked(key),
        Err(_) => Err(wrong_length(bytes.len())),
    }
}

fn decode_key(text: &[u8]) -> Result<[u8; KEY_BYTES]> {
    if text.len() != KEY_CHARACTERS {
        return Err(wrong_length(text.len()));
    }
    let mut key = [0; KEY_BYTES];
    let groups = text
        .chunks_exact(GROUP_CHARACTERS)
        .zip(key.chunks_exact_mut(GROUP_BYTES));
    for (index, (characters, bytes)) in groups.enumerate() {
        let first = index * GROUP_CHARACTERS;
        let mut number: u64 = 0;
        for (place, character) in characters.iter().enumerate() {
            let digit = ALPHABET.iter().position(|known| known == character);
            let digit = digit.ok_or_else(|| {
                let place = first + place + 1;
                invalid(format!("character {place} of the key is not one of Z85"))
            })?;
            number = number * ALPHABET.len() as u64 + digit as u64;
        }
        let number = u32::try_from(number).map_err(|_| {
            let (from, to) = (first + 1, first + GROUP_CHARACTERS);
            invalid(format!(
                "characters {from} to {to} of the key stand for a number that no key can hold"
            ))
        })?;
        bytes.copy_from_slice(&number.to_be_bytes());
    }
    checked(key)
}

fn encode_key(key: &[u8; KEY_BYTES]) -> String {
    let mut text = String::with_capacity(KEY_CHARACTERS);
    for bytes in key.chunks_exact(GROUP_BYTES) {
        let number = bytes.iter().fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
        let base = ALPHABET.len() as u32;
        for place in (0..GROUP_CHARACTERS as u32).rev() {
            let digit = number / base.pow(place) % base;
            text.push(char::from(ALPHABET[digit as usize]));
        }
    }
    text
}

fn decode_c(text: &[c_char; KEY_CHARACTERS + 1]) -> Result<[u8; KEY_BYTES]> {
    let mut bytes = [0; KEY_CHARACTERS];
    for (to, from) in bytes.iter_mut().zip(text) {
        *to = *from as u8;
    }
    decode_key(&bytes)
}

/// A key of zeros is a buffer that nobody filled.
fn checked(key: [u8; KEY_BYTES]) -> Result<[u8; KEY_BYTES]> {
    if key == [0; KEY_BYTES] {
        return Err(invalid("the key is all zeros; was it ever filled in?"));
    }
    Ok(key)
}

fn wrong_length(length: usize) -> Error {
    invalid(format!(
        "a key is {KEY_CHARACTERS} characters of Z85 or {KEY_BYTES} bytes, not {length}"
    ))
}

fn invalid(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Status::InvalidArgument, text)
}

/// Fills `bytes` with random numbers of the system's.
pub(crate) fn random_bytes(bytes: &mut [u8]) -> Result<()> {
    // SAFETY: a live buffer of that length. Up to 256 bytes come whole.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got != bytes.len() as isize {
        return Err(Error::new(Status::Internal, "the system gives no random numbers"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server's pair in the specification of CURVE (and in the test of libzmq).
    const PUBLIC: &str = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    const SECRET: &str = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";

    fn text_of(result: Result<PublicKey>) -> String {
        let error = result.expect_err("a refusal");
        assert_eq!(error.status(), Status::InvalidArgument);
        error.text().to_owned()
    }

    #[test]
    fn text_and_bytes_stand_for_the_same_key() {
        let key = PublicKey::from_z85(PUBLIC).expect("a key");
        assert_eq!(key.to_z85(), PUBLIC);
        assert_eq!(PublicKey::from_bytes(key.as_bytes()), Ok(key));
        assert_eq!(PublicKey::from_bytes(PUBLIC.as_bytes()), Ok(key));
        assert_eq!(format!("{key}"), PUBLIC);
    }

    #[test]
    fn known_bytes_make_the_text_of_the_specification() {
        // RFC 32: 86 4F D2 6F B5 59 F7 5B is "HelloWorld".
        let mut bytes = [0; KEY_BYTES];
        bytes[..8].copy_from_slice(&[0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B]);
        let text = PublicKey::from_bytes(&bytes).expect("a key").to_z85();
        assert_eq!(text, format!("HelloWorld{}", "0".repeat(30)));
        let ones = PublicKey::from_bytes(&[0xFF; KEY_BYTES]).expect("a key");
        assert_eq!(PublicKey::from_z85(&ones.to_z85()), Ok(ones));
    }

    #[test]
    fn the_public_key_follows_from_the_secret_one() {
        let secret = SecretKey::from_z85(SECRET).expect("a key");
        let public = public_from_secret(&secret).expect("CURVE is built in");
        assert_eq!(public.to_z85(), PUBLIC);
    }

    #[test]
    fn generated_pairs_fit_and_differ() {
        let one = KeyPair::generate().expect("CURVE is built in");
        let two = KeyPair::generate().expect("CURVE is built in");
        assert_eq!(one.secret.public(), Ok(one.public));
        assert_ne!(one.public, two.public);
        assert_ne!(one.secret, two.secret);
        let again = SecretKey::from_z85(&one.secret.to_z85()).expect("a key");
        assert_eq!(again, one.secret);
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason() {
        let long = text_of(PublicKey::from_z85(&PUBLIC[1..]));
        assert!(long.contains("not 39"), "{long}");
        let empty = text_of(PublicKey::from_bytes(&[]));
        assert!(empty.contains("not 0"), "{empty}");
        let mut strange = PUBLIC.to_owned();
        strange.replace_range(6..7, "\"");
        let strange = text_of(PublicKey::from_z85(&strange));
        assert!(strange.contains("character 7"), "{strange}");
        let large = text_of(PublicKey::from_z85(&"#".repeat(KEY_CHARACTERS)));
        assert!(large.contains("characters 1 to 5"), "{large}");
        let zeros = text_of(PublicKey::from_bytes(&[0; KEY_BYTES]));
        assert!(zeros.contains("zeros"), "{zeros}");
        // 40 bytes of UTF-8 that are fewer characters.
        let accents = text_of(PublicKey::from_z85(&"\u{e9}".repeat(KEY_CHARACTERS / 2)));
        assert!(accents.contains("character 1 "), "{accents}");
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = SecretKey::from_z85(SECRET).expect("a key");
        let public = secret.public().expect("CURVE is built in");
        let shown = format!("{:?}", KeyPair { public, secret });
        assert!(shown.contains(PUBLIC), "{shown}");
        assert!(!shown.contains("JTKV"), "{shown}");
        let wrong = SecretKey::from_z85(&SECRET[..39]).expect_err("too short");
        assert!(!wrong.text().contains("JTKV"), "{wrong}");
    }
}
