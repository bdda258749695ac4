//! The keys of a handle, and who it lets in.

use std::collections::BTreeSet;

use super::OptionKey;
use crate::connection::keys::{require_curve, PublicKey, SecretKey, KEY_BYTES};
use crate::error::Result;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CurveOptions {
    pub(super) server_secret: Option<SecretKey>,
    pub(super) server_public: Option<PublicKey>,
    pub(super) client_public: Option<PublicKey>,
    pub(super) allowed: BTreeSet<PublicKey>,
    pub(super) allow_any: bool,
    /// With the public key that follows from it.
    client_secret: Option<(PublicKey, SecretKey)>,
}

impl CurveOptions {
    pub(super) fn set_server_secret(&mut self, key: SecretKey) -> Result<()> {
        require_curve()?;
        self.server_secret = Some(key);
        Ok(())
    }

    pub(super) fn set_client_secret(&mut self, key: SecretKey) -> Result<()> {
        self.client_secret = Some((key.public()?, key));
        Ok(())
    }

    pub(super) fn client_keys(&self) -> Option<(&[u8; KEY_BYTES], &[u8; KEY_BYTES])> {
        self.client_secret
            .as_ref()
            .map(|(public, secret)| (public.as_bytes(), secret.as_bytes()))
    }

    /// A handle is a server, a client, or neither, and has all that this takes and nothing else.
    pub(super) fn validate(&self) -> Result<()> {
        let is_client = self.server_public.is_some() || self.client_public.is_some() || self.client_secret.is_some();
        match &self.server_secret {
            Some(_) if is_client => Err(OptionKey::CurveServerSecretKey
                .refuse("a handle is a CURVE server or a CURVE client; leave the client's keys out")),
            Some(_) => self.validate_server(),
            None => self.validate_client(is_client),
        }
    }

    fn validate_server(&self) -> Result<()> {
        match (self.allowed.is_empty(), self.allow_any) {
            (true, false) => Err(OptionKey::CurveAllowedKey.refuse(
                "a CURVE server needs the public keys of its clients; or set curve_allow_any to let in whoever knows \
                 the server's public key",
            )),
            (false, true) => {
                Err(OptionKey::CurveAllowAny.refuse("it contradicts curve_allowed_key; set one of the two"))
            }
            _ => Ok(()),
        }
    }

    fn validate_client(&self, is_client: bool) -> Result<()> {
        if !self.allowed.is_empty() {
            return Err(OptionKey::CurveAllowedKey.refuse("it needs curve_server_secret_key: only a server lets in"));
        }
        if self.allow_any {
            return Err(OptionKey::CurveAllowAny.refuse("it needs curve_server_secret_key: only a server lets in"));
        }
        if !is_client {
            return Ok(());
        }
        if self.server_public.is_none() {
            return Err(OptionKey::CurveServerPublicKey.refuse("a CURVE client needs it to know its server"));
        }
        match (&self.client_secret, &self.client_public) {
            (None, _) => Err(OptionKey::CurveClientSecretKey
                .refuse("a CURVE client needs it; make a key pair, and let the server allow its public key")),
            (Some((follows, _)), Some(given)) if follows != given => {
                let text = format!("it does not belong to curve_client_secret_key, from which {follows} follows");
                Err(OptionKey::CurveClientPublicKey.refuse_value(given, text))
            }
            _ => Ok(()),
        }
    }
}
