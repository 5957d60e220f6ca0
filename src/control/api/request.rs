//! A request taken apart: the three wire forms become one set of parameters. Nothing of it is believed yet.

use hyper::body::Bytes;
use hyper::{Method, Request, header};

use super::form;
use super::{Action, ApiError, Params};

/// The version of the API.
pub const VERSION: &str = "2016-04-28";
/// Bytes of a request's head that are ours to judge: target and headers.
pub const MAX_HEAD: usize = 64 << 10;

/// Parameters that are the protocol's: no action ever sees them.
const PROTOCOL: [&str; 12] = [
    "AccessKeyId",
    "Action",
    "Format",
    "RegionId",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "Timestamp",
    "Version",
];

/// A request and what it says.
pub(super) struct Asked<'a> {
    /// As it came.
    pub(super) http: &'a Request<Bytes>,
    /// Parameters of the query.
    pub(super) query: Params,
    /// Parameters of query and form body together.
    pub(super) params: Params,
}

impl<'a> Asked<'a> {
    /// Reads query and body.
    ///
    /// # Errors
    /// What HTTP and encodings must be and are not; a name that stands twice.
    pub(super) fn read(http: &'a Request<Bytes>) -> Result<Self, ApiError> {
        if !matches!(*http.method(), Method::GET | Method::POST) {
            let text = format!("The method {} is not supported; POST and GET are.", http.method());
            return Err(ApiError::new(405, "UnsupportedHTTPMethod", text));
        }
        let uri = http.uri();
        if uri.path() != "/" || uri.authority().is_some() {
            let shown: String = uri.to_string().chars().take(80).collect();
            let text = format!("There is no {shown} here: the path is /, and the action a parameter.");
            return Err(ApiError::new(404, "InvalidApi.NotFound", text));
        }
        let headers: usize = http.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let query = uri.query().unwrap_or_default();
        if headers + query.len() > MAX_HEAD {
            let text = format!("Target and headers have more than {MAX_HEAD} bytes: send parameters as a form body.");
            return Err(ApiError::new(431, "RequestHeaderTooLarge", text));
        }
        let query = form::pairs(query.as_bytes())?;
        let body = if http.body().is_empty() { Vec::new() } else { body(http)? };
        let params = Params::from_pairs(query.iter().cloned().chain(body))?;
        Ok(Asked { http, query: Params::from_pairs(query)?, params })
    }

    /// A header that may stand once; its value without blanks around it.
    ///
    /// # Errors
    /// It stands twice, or holds more than visible ASCII.
    pub(super) fn header(&self, name: &str) -> Result<Option<&'a str>, ApiError> {
        let mut values = self.http.headers().get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => match value.to_str() {
                Ok(text) => Ok(Some(text.trim())),
                Err(_) => Err(bad_header(name, "visible ASCII characters")),
            },
            (Some(_), Some(_)) => Err(bad_header(name, "given once")),
        }
    }

    /// What it asks for. Parameter and header say the same, or one of them says nothing.
    ///
    /// # Errors
    /// No action, two, or one that is not known.
    pub(super) fn action(&self) -> Result<Action, ApiError> {
        let name = self.either("Action", "x-acs-action", "the name of an action")?;
        Action::named(name).ok_or_else(|| {
            let shown: String = name.chars().take(80).collect();
            let known: Vec<&str> = Action::ALL.iter().map(|a| a.name()).collect();
            let text = format!("There is no action \"{shown}\" in version {VERSION}; there are {}.", known.join(", "));
            ApiError::new(404, "InvalidApi.NotFound", text)
        })
    }

    /// Its version and the format of answers are the ones there are.
    ///
    /// # Errors
    /// Which is not.
    pub(super) fn check_version(&self) -> Result<(), ApiError> {
        let version = self.either("Version", "x-acs-version", VERSION)?;
        if version != VERSION {
            return Err(wrong("Version", version, VERSION));
        }
        match self.params.get("Format") {
            Some(format) if !format.eq_ignore_ascii_case("JSON") => Err(wrong("Format", format, "JSON")),
            _ => Ok(()),
        }
    }

    /// It is meant for this region; the service switch may be asked without saying so.
    ///
    /// # Errors
    /// `MissingRegionId` or `InvalidRegionId.NotFound`.
    pub(super) fn check_region(&self, action: Action, region: &str) -> Result<(), ApiError> {
        let optional = matches!(action, Action::OpenTrafficMirrorService | Action::GetTrafficMirrorServiceStatus);
        match self.params.get("RegionId") {
            None if optional => Ok(()),
            None => Err(ApiError::missing("RegionId", &format!("\"{region}\" here"))),
            Some(id) if id == region => Ok(()),
            Some(id) => {
                let shown: String = id.chars().take(80).collect();
                let text = format!("The parameter RegionId = \"{shown}\" is not found; it is \"{region}\" here.");
                Err(ApiError::new(404, "InvalidRegionId.NotFound", text))
            }
        }
    }

    /// The parameters of the action.
    pub(super) fn into_params(self) -> Params {
        self.params.without(&PROTOCOL)
    }

    fn either(&self, name: &str, header: &str, allowed: &str) -> Result<&str, ApiError> {
        match (self.params.get(name), self.header(header)?.filter(|text| !text.is_empty())) {
            (Some(param), Some(header_text)) if param != header_text => {
                Err(wrong(name, param, &format!("the same as in the header {header}, which says \"{header_text}\"")))
            }
            (Some(text), _) | (None, Some(text)) => Ok(text),
            (None, None) => Err(ApiError::missing(name, &format!("{allowed}; it may also be the header {header}"))),
        }
    }
}

/// A parameter of the protocol that is not valid: `Invalid<Name>`, as gateways say it.
pub(super) fn wrong(name: &str, value: &str, allowed: &str) -> ApiError {
    ApiError { code: format!("Invalid{name}").into(), ..ApiError::invalid(name, value, allowed) }
}

fn bad_header(name: &str, allowed: &str) -> ApiError {
    ApiError::new(400, "InvalidHeader", format!("The header {name} is not valid; it is {allowed}."))
}

fn body(http: &Request<Bytes>) -> Result<Vec<(String, String)>, ApiError> {
    const FORM: &str = "application/x-www-form-urlencoded";
    let given = http.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case(FORM) {
        return form::pairs(http.body());
    }
    let shown: String = given.chars().take(80).collect();
    let text = format!("The header Content-Type = \"{shown}\" is not valid; a body that is not empty is {FORM}.");
    Err(ApiError::new(415, "UnsupportedContentType", text))
}
