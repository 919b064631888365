//! The check of a token: one algorithm per key, and every claim that must be there.

use chrono::{DateTime, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use uuid::Uuid;

/// How far clocks may differ, in seconds.
pub const LEEWAY_SECONDS: u64 = 30;
/// Length of a token.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Length of the secret of HS256 tokens: that of the hash, as RFC 7518 demands.
pub const SECRET_BYTES_MIN: usize = 32;

/// The claim by which the issuer of a token says that its bearer operates the whole installation. No role of a tenant
/// says so.
pub const OPERATOR_CLAIM: &str = "daybook_operator";

/// Who asks, as far as a token tells: what they may do is in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bearer {
    pub tenant: Uuid,
    pub user: Uuid,
}

/// The claims of a good token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    pub bearer: Bearer,
    /// When it expires.
    pub until: DateTime<Utc>,
    /// Whether its bearer operates the whole installation: [`OPERATOR_CLAIM`].
    pub is_operator: bool,
}

/// Why a token is not accepted. The message goes to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    #[error("send the token as `Authorization: Bearer <token>`")]
    Missing,
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes; send a shorter one")]
    TooLong,
    #[error("the token is not a JSON Web Token of three base64url parts")]
    Malformed,
    #[error("the token's algorithm is not the one of the key it names")]
    Algorithm,
    #[error("the token's header has a typ, cty, zip, enc or crit that Daybook does not accept")]
    Header,
    #[error("the token names no key, or one that is not known; get a new one")]
    UnknownKey,
    #[error("the token's signature is wrong; get a token from the identity provider")]
    Signature,
    #[error("the key is none of this Daybook, is revoked or has expired; have a new one issued")]
    Key,
    #[error("the token has expired; get a new one")]
    Expired,
    #[error("the token is not valid yet; wait until its nbf, or set the clock right")]
    NotYet,
    #[error("the token was made by another issuer; get one from the identity provider of this Daybook")]
    Issuer,
    #[error("the token is for another audience; get one for this Daybook")]
    Audience,
    #[error("the token's sub is an id that stands for no person; sign in as a registered user")]
    Nobody,
    #[error(
        "the token lacks one of iss, aud, exp, nbf, sub (a uuid) and tenant (a uuid), or one or {OPERATOR_CLAIM} is malformed"
    )]
    Claims,
}

/// The issuer and audience that tokens must name.
#[derive(Debug, Clone)]
pub struct Expected {
    pub issuer: String,
    pub audience: String,
}

/// A key and the only algorithm it may be used with, which the token cannot choose.
#[derive(Clone)]
pub struct Key {
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:?})", self.algorithm)
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: Uuid,
    tenant: Uuid,
    // A single issuer: jsonwebtoken alone would accept a list that contains the right one.
    #[expect(dead_code, reason = "read for its form; Validation compares the value")]
    iss: String,
    exp: f64,
    /// See [`OPERATOR_CLAIM`].
    #[serde(default)]
    daybook_operator: bool,
}

/// The header of a token that may be looked at further.
///
/// # Errors
/// [`BadToken`], when its length, form or header already rules it out.
pub fn header(token: &str) -> Result<Header, BadToken> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(BadToken::TooLong);
    }
    let header = decode_header(token).map_err(|error| match error.kind() {
        // An algorithm that jsonwebtoken does not know, `none` among them, fails as JSON.
        ErrorKind::InvalidAlgorithmName | ErrorKind::InvalidAlgorithm => BadToken::Algorithm,
        _ => BadToken::Malformed,
    })?;
    let typ = header.typ.as_deref().map(str::to_ascii_lowercase);
    let known = matches!(typ.as_deref(), None | Some("jwt" | "at+jwt" | "application/at+jwt"));
    // Whatever is critical we would have to understand, and we understand no extension.
    let plain = header.crit.is_none() && header.cty.is_none() && header.zip.is_none() && header.enc.is_none();
    if known && plain {
        Ok(header)
    } else {
        Err(BadToken::Header)
    }
}

/// Verifies a token with the key that was found for it.
///
/// # Errors
/// [`BadToken`].
pub fn verify(token: &str, header: &Header, key: &Key, expected: &Expected) -> Result<Verified, BadToken> {
    if header.alg != key.algorithm {
        return Err(BadToken::Algorithm);
    }
    let mut validation = Validation::new(key.algorithm);
    validation.leeway = LEEWAY_SECONDS;
    validation.validate_nbf = true;
    validation.set_required_spec_claims(&["iss", "aud", "exp", "nbf", "sub"]);
    validation.set_issuer(&[&expected.issuer]);
    validation.set_audience(&[&expected.audience]);
    let claims = decode::<Claims>(token, &key.key, &validation)
        .map_err(|error| bad(error.kind()))?
        .claims;
    // Whoever issued it: what Daybook does by itself is for Daybook alone to do.
    if domain::is_reserved(claims.sub) {
        return Err(BadToken::Nobody);
    }
    if claims.tenant.is_nil() {
        return Err(BadToken::Claims);
    }
    let until = DateTime::from_timestamp(claims.exp as i64, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
    Ok(Verified {
        bearer: Bearer {
            tenant: claims.tenant,
            user: claims.sub,
        },
        until,
        is_operator: claims.daybook_operator,
    })
}

fn bad(kind: &ErrorKind) -> BadToken {
    match kind {
        ErrorKind::ExpiredSignature => BadToken::Expired,
        ErrorKind::ImmatureSignature => BadToken::NotYet,
        ErrorKind::InvalidIssuer => BadToken::Issuer,
        ErrorKind::InvalidAudience => BadToken::Audience,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => BadToken::Algorithm,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => BadToken::Claims,
        ErrorKind::InvalidSignature | ErrorKind::Base64(_) | ErrorKind::Provider(_) => BadToken::Signature,
        _ => BadToken::Malformed,
    }
}

#[cfg(test)]
mod tests;
