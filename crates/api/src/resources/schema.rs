//! From Rust types to the schema dialect of CustomResourceDefinitions: nothing
//! by reference, one type per member, no `nullable`. The API server then drops
//! an explicit `null` instead of storing it, as it does for Dapr's definitions.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::SchemaSettings,
    json_schema,
    transform::{RecursiveTransform, Transform},
};
use serde_json::Value;

/// The schema of `T` as a CustomResourceDefinition wants it.
pub(super) fn of<T: JsonSchema>() -> JSONSchemaProps {
    serde_json::from_value(structural::<T>()).expect("every keyword used here is in the dialect")
}

/// The same as plain JSON.
pub(super) fn structural<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(one_type).transform(&mut schema);
    schema.remove("title");
    schema.to_value()
}

/// Schema of a member that takes any JSON value.
pub(super) fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}

/// Schema of a member that takes any JSON object.
pub(super) fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

fn one_type(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    // Only 32-bit members carry a format; the others are whole numbers of the
    // machine's size.
    if schema.get("format").is_some_and(|format| format == "int64") {
        schema.remove("format");
    }
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}
