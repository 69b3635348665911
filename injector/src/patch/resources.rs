//! CPU and memory of the sidecar, from annotations only.

use api::quantity::Quantity;
use serde_json::{Map, Value, json};

use crate::annotations::{Annotations, RESOURCES};

/// `None` when nothing is asked for. One quantity that cannot be read makes
/// all four count as absent.
pub(super) fn resources(annotations: &mut Annotations<'_>) -> Option<Value> {
    let mut lists = Map::new();
    for (name, list, kind) in RESOURCES {
        let Some(text) = annotations.non_empty(name) else {
            continue;
        };
        match text.parse::<Quantity>() {
            Ok(quantity) => {
                let list = lists.entry(list).or_insert_with(|| json!({}));
                if let Value::Object(list) = list {
                    list.insert(kind.to_owned(), json!(quantity.to_string()));
                }
            }
            Err(error) => {
                annotations.warn(format!(
                    "annotation {name}: {text:?}: {error}; the sidecar gets no resources at all"
                ));
                return None;
            }
        }
    }
    (!lists.is_empty()).then_some(Value::Object(lists))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources_of(given: &Value) -> (Option<Value>, usize) {
        let mut annotations = Annotations::new(given.as_object());
        let resources = resources(&mut annotations);
        (resources, annotations.into_warnings().len())
    }

    #[test]
    fn requests_and_limits() {
        let (found, warnings) = resources_of(&json!({
            "dapr.io/sidecar-cpu-request": "0.1",
            "dapr.io/sidecar-cpu-limit": "",
            "dapr.io/sidecar-memory-limit": "64Mi",
        }));
        let expected = json!({"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}});
        assert_eq!((found, warnings), (Some(expected), 0));
        assert_eq!(resources_of(&json!({})), (None, 0));
    }

    #[test]
    fn one_bad_quantity_drops_all() {
        let found = resources_of(&json!({
            "dapr.io/sidecar-cpu-request": "100m",
            "dapr.io/sidecar-memory-limit": "lots",
        }));
        assert_eq!(found, (None, 1));
    }
}
