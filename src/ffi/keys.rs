//! CURVE keys as text.

use std::ffi::c_char;

use super::bytes::{copy_text, place, text};
use super::guard::guard;
use super::status::dividere_status_t;
use crate::connection::keys::{KeyPair, SecretKey};

/// A CURVE key as NUL-terminated text: 40 characters of Z85 (ZeroMQ RFC 32).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_key_t {
    /// The characters, and a NUL.
    pub text: [c_char; 41],
}

/// Makes a new CURVE key pair from the random numbers of the system. The public key names its owner
/// and goes to the other side; the secret one stays. UNSUPPORTED where the build has no CURVE.
#[no_mangle]
pub unsafe extern "C" fn dividere_curve_keypair(
    public_key: *mut dividere_key_t,
    secret_key: *mut dividere_key_t,
) -> dividere_status_t {
    guard(|| {
        let mut public_place = place(public_key, "public_key")?;
        let mut secret_place = place(secret_key, "secret_key")?;
        let pair = KeyPair::generate()?;
        public_place.set(key(&pair.public.to_z85()));
        secret_place.set(key(&pair.secret.to_z85()));
        Ok(())
    })
}

/// The public key that belongs to a secret one, given as 40 characters of Z85. INVALID_ARGUMENT
/// where it is no key; UNSUPPORTED where the build has no CURVE.
#[no_mangle]
pub unsafe extern "C" fn dividere_curve_public(
    secret_key: *const c_char,
    public_key: *mut dividere_key_t,
) -> dividere_status_t {
    guard(|| {
        let secret = SecretKey::from_z85(text(secret_key, "secret_key")?)?;
        let mut public_place = place(public_key, "public_key")?;
        public_place.set(key(&secret.public()?.to_z85()));
        Ok(())
    })
}

fn key(z85: &str) -> dividere_key_t {
    let mut key = dividere_key_t { text: [0; 41] };
    copy_text(z85, &mut key.text);
    key
}
