//! From a credential to a tenant (I-10). Takes the headers of a request, gives the tenant that
//! its token belongs to. With no credentials configured every request is tenant `default`.
//! Both doors use it; payloads are never looked at.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize, Serializer};

use crate::refusal::Refusal;

/// The tenant of everything that comes without credentials.
pub const DEFAULT_TENANT: &str = "default";

/// One token and whose it is.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The secret. Shown nowhere.
    #[serde(serialize_with = "hidden")]
    pub token: String,
    /// Owner of what is sent with it.
    pub tenant: Arc<str>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

fn hidden<S: Serializer>(_token: &str, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str("(hidden)")
}

impl Credential {
    /// Says which credential cannot be used.
    ///
    /// # Errors
    /// When a token or a tenant is empty, or one token is given to two tenants.
    pub fn check(all: &[Credential]) -> Result<(), String> {
        for (i, one) in all.iter().enumerate() {
            let tenant = &one.tenant;
            if one.token.is_empty() || tenant.is_empty() {
                let number = i + 1;
                return Err(format!(
                    "`auth.tokens`, entry {number}: expected a token and a tenant, one is empty"
                ));
            }
            let other = all[..i].iter().find(|o| o.token == one.token && o.tenant != *tenant);
            if let Some(Credential { tenant: other, .. }) = other {
                return Err(format!(
                    "`auth.tokens`: tenants `{other}` and `{tenant}` have the same token: rows sent \
                     with it would be of either; give each its own"
                ));
            }
        }
        Ok(())
    }
}

/// Knows all credentials.
#[derive(Debug, Clone)]
pub struct Authenticator {
    credentials: Arc<[Credential]>,
    default: Arc<str>,
}

impl Authenticator {
    /// Lets in who has one of these; everybody when there are none.
    pub fn new(credentials: Vec<Credential>) -> Authenticator {
        Authenticator { credentials: credentials.into(), default: DEFAULT_TENANT.into() }
    }

    /// The tenant of a request. The token stands in `authorization`, as `Bearer TOKEN` or as the
    /// password of `Basic` (some clients know only that).
    pub fn tenant(&self, headers: &HeaderMap) -> Result<Arc<str>, Refusal> {
        if self.credentials.is_empty() {
            return Ok(self.default.clone());
        }
        let token = token(headers).ok_or(Refusal::Unauthenticated)?;
        let mut tenant = None;
        // All are compared, so that time does not tell which ones come near.
        for credential in self.credentials.iter() {
            if same(&token, credential.token.as_bytes()) {
                tenant = Some(credential.tenant.clone());
            }
        }
        tenant.ok_or(Refusal::Unauthenticated)
    }
}

fn token(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().as_bytes().to_vec());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = STANDARD.decode(rest.trim()).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        return Some(pair[colon + 1..].to_vec());
    }
    None
}

/// Whether two byte strings are equal, in a time that depends on the first one's length only.
fn same(given: &[u8], expected: &[u8]) -> bool {
    let mut different = u8::from(given.len() != expected.len());
    for (i, byte) in given.iter().enumerate() {
        different |= byte ^ expected.get(i).copied().unwrap_or(!byte);
    }
    black_box(different) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(authorization: Option<&str>) -> Option<String> {
        let credential =
            |token: &str, tenant: &str| Credential { token: token.into(), tenant: tenant.into() };
        let auth = Authenticator::new(vec![credential("s3cret", "acme"), credential("s3", "b")]);
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        auth.tenant(&headers).ok().map(|tenant| tenant.to_string())
    }

    #[test]
    fn the_token_names_the_tenant() {
        assert_eq!(tenant(Some("Bearer s3cret")), Some("acme".into()));
        assert_eq!(tenant(Some("bearer s3")), Some("b".into()));
        // base64 of "pk:s3cret", RFC 7617
        assert_eq!(tenant(Some("Basic cGs6czNjcmV0")), Some("acme".into()));
    }

    #[test]
    fn missing_wrong_and_shortened_tokens_are_refused() {
        for value in
            [None, Some("Bearer s3cre"), Some("Bearer s3cret2"), Some("Bearer "), Some("s3")]
        {
            assert_eq!(tenant(value), None, "{value:?}");
        }
    }

    #[test]
    fn a_token_is_of_one_tenant() {
        let credential =
            |token: &str, tenant: &str| Credential { token: token.into(), tenant: tenant.into() };
        let check = |all: &[(&str, &str)]| {
            Credential::check(&all.iter().map(|(t, of)| credential(t, of)).collect::<Vec<_>>())
        };
        assert_eq!(check(&[("x", "a"), ("y", "a"), ("x", "a"), ("z", "b")]), Ok(()));
        let error = check(&[("secret", "a"), ("secret", "b")]).unwrap_err();
        assert!(error.contains("`a` and `b`") && !error.contains("secret"), "{error}");
        assert!(check(&[("", "a")]).is_err());
        assert!(check(&[("x", "")]).is_err());
    }

    #[test]
    fn a_token_is_never_shown() {
        let credential = Credential { token: "s3cret".into(), tenant: "acme".into() };
        let shown = format!("{credential:?} {}", serde_json::to_string(&credential).unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
