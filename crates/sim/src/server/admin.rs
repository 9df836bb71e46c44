//! The switch for faults: what goes wrong can be changed while the server runs.
//!
//! What is asked for holds for every request that arrives after the answer was decided upon, and for none by half: the rules are
//! replaced as a whole. Deliberately no vLLM has this; the path is the simulator's own.

use crate::faults::Faults;
use crate::server::Server;
use crate::server::about::Told;
use crate::server::refusal::Refusal;

/// Replaces what goes wrong, and tells it as it is now.
///
/// # Errors
/// If the body does not say what is to go wrong; then nothing is changed.
pub(crate) fn replace(server: &Server, body: &[u8]) -> Result<Told, Refusal> {
    let faults = Faults::from_json(body).map_err(|error| {
        Refusal::field(&error.field, &format!("faults are not changed: {error}"))
    })?;
    let told = faults.to_json();
    server.replace_faults(faults);
    Ok(Told::Text(told))
}
