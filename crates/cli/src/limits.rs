//! What this machine bears: a plan that asks for more of it is refused before it fails.

pub(crate) mod descriptors;
pub(crate) mod memory;

#[cfg(test)]
mod testing {
    use std::io;
    use std::path::Path;

    use tokometer_plan::{Environment, Plan, load};

    struct Nothing;

    impl Environment for Nothing {
        fn variable(&self, _name: &str) -> Option<String> {
            None
        }
        fn read(&self, _path: &Path) -> io::Result<String> {
            Err(io::ErrorKind::NotFound.into())
        }
        fn fresh_seed(&self) -> u64 {
            7
        }
    }

    /// A plan with these points.
    pub(super) fn plan(url: &str, points: &str) -> Plan {
        let text = format!(
            "target: {{url: '{url}'}}\nload: {{points: {points}}}\nprompts: {{text: hi}}\n"
        );
        load(&text, "plan.yaml", &Nothing).unwrap().plan
    }
}
