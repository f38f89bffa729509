//! An error as a client of any HTTP door sees it: `application/problem+json` (RFC 9457) with what
//! to do about it.

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde::{Serialize, Serializer};

/// Its media type.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was refused or failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// What kind of failure it is, in a few words.
    pub title: &'static str,
    /// Status of the answer.
    #[serde(serialize_with = "code")]
    pub status: StatusCode,
    /// What was attempted, on which object; what was found, and what was expected.
    pub detail: String,
    /// What the caller may do about it; empty when nothing is known to help.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// What is wrong with each part of the request, where it has several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<serde_json::Value>,
    /// Seconds after which a status of 503 may be over.
    #[serde(skip)]
    pub retry_after_s: u64,
}

fn code<S: Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem without a hint; a status of 503 may be over after a second.
    pub fn new(status: StatusCode, title: &'static str, detail: String) -> Self {
        Self { title, status, detail, hint: String::new(), errors: Vec::new(), retry_after_s: 1 }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// The whole answer.
    pub fn response(&self) -> Response<String> {
        // Texts and numbers alone: they can always be written.
        let mut response = Response::new(serde_json::to_string(self).unwrap_or_default());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.retry_after_s));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_written_as_the_rfc_says() {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "no place".into());
        let response = problem.with_hint("try again").response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let expect = r#"{"title":"busy","status":503,"detail":"no place","hint":"try again"}"#;
        assert_eq!(response.body(), expect);
        let plain = Problem::new(StatusCode::BAD_REQUEST, "wrong", "x".into()).response();
        assert_eq!(plain.headers().get(RETRY_AFTER), None);
        assert_eq!(plain.body(), r#"{"title":"wrong","status":400,"detail":"x"}"#);
    }
}
