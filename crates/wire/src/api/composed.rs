//! Bodies composed of what is asked for by several: a template, the options and the prompt, a body that a dataset brought.
//!
//! Objects within the body (`sampling_params`, `parameters`) are merged, so that one field of them can be set without the rest.
//! Deliberately knows no names: each API hands in its own.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{Prompt, Request};

/// The body of a request whose prompt and whose settings are these fields.
///
/// What is asked for by several is decided by the later: the template, the fields, `extra`. Where the prompt is a body of its own,
/// by the later of: the template, the fields, that body, `extra`.
pub(super) fn body(
    request: &Request<'_>,
    fields: impl IntoIterator<Item = (&'static str, Value)>,
    extra: Map<String, Value>,
) -> Bytes {
    let template = request.template.cloned().unwrap_or_default();
    let fields: Map<String, Value> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut body = match request.prompt {
        Prompt::Body(own) => {
            let mut body = own.clone();
            under(&mut body, fields);
            under(&mut body, template);
            body
        }
        _ => {
            let mut body = template;
            over(&mut body, fields);
            body
        }
    };
    over(&mut body, extra);
    let mut text = Value::Object(body).to_string();
    // Bodies wait by the hundred thousand for their load: the room into which they grew is given back.
    text.shrink_to_fit();
    text.into()
}

/// A field, if it is asked for.
pub(super) fn given(
    name: &'static str,
    value: Option<impl Into<Value>>,
) -> Option<(&'static str, Value)> {
    Some((name, value?.into()))
}

/// A field that lists something, unless the list is empty.
pub(super) fn list<T: Clone + Into<Value>>(
    name: &'static str,
    values: &[T],
) -> Option<(&'static str, Value)> {
    (!values.is_empty()).then(|| (name, values.to_vec().into()))
}

/// Those of these fields that are asked for, as an object.
pub(super) fn object(fields: impl IntoIterator<Item = Option<(&'static str, Value)>>) -> Value {
    let fields = fields.into_iter().flatten();
    Value::Object(fields.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Sets fields, whatever was there.
fn over(body: &mut Map<String, Value>, fields: Map<String, Value>) {
    for (name, value) in fields {
        match (body.get_mut(&name), value) {
            (Some(Value::Object(there)), Value::Object(more)) => over(there, more),
            (Some(there), value) => *there = value,
            (None, value) => {
                body.insert(name, value);
            }
        }
    }
}

/// Sets fields where there was none.
fn under(body: &mut Map<String, Value>, fields: Map<String, Value>) {
    for (name, value) in fields {
        match (body.get_mut(&name), value) {
            (Some(Value::Object(there)), Value::Object(more)) => under(there, more),
            (Some(_), _) => {}
            (None, value) => {
                body.insert(name, value);
            }
        }
    }
}
