//! Field numbers and enum values of the messages apps exchange with us,
//! compared with those the Python SDK was generated from.

use std::collections::BTreeMap;

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, MethodDescriptorProto,
};
use tests::Process;

use super::project::PYTHON;

/// Packages an SDK has; the others are between sidecars.
const PACKAGES: &[&str] = &[
    "dapr.proto.common.v1",
    "dapr.proto.runtime.v1",
    "google.rpc",
];

/// What is said about a message, a field, an enum value or a method, by name.
type Facts = BTreeMap<String, String>;

fn facts(files: &[FileDescriptorProto]) -> Facts {
    let mut facts = Facts::new();
    for file in files
        .iter()
        .filter(|file| PACKAGES.contains(&file.package()))
    {
        for message in &file.message_type {
            add_message(&mut facts, file.package(), message);
        }
        for values in &file.enum_type {
            add_enum(&mut facts, file.package(), values);
        }
        for service in &file.service {
            for method in &service.method {
                let name = format!("{}.{}/{}", file.package(), service.name(), method.name());
                facts.insert(name, shape(method));
            }
        }
    }
    facts
}

fn add_message(facts: &mut Facts, scope: &str, message: &DescriptorProto) {
    let name = format!("{scope}.{}", message.name());
    for field in &message.field {
        let oneof = field
            .oneof_index
            .map(|index| message.oneof_decl[usize::try_from(index).unwrap()].name());
        facts.insert(format!("{name}.{}", field.name()), layout(field, oneof));
    }
    for nested in &message.nested_type {
        add_message(facts, &name, nested);
    }
    for values in &message.enum_type {
        add_enum(facts, &name, values);
    }
    facts.insert(name, "message".to_owned());
}

fn add_enum(facts: &mut Facts, scope: &str, values: &EnumDescriptorProto) {
    for value in &values.value {
        let name = format!("{scope}.{}.{}", values.name(), value.name());
        facts.insert(name, value.number().to_string());
    }
}

fn layout(field: &FieldDescriptorProto, oneof: Option<&str>) -> String {
    format!(
        "{} {} {} {} {}",
        field.number(),
        Label::as_str_name(&field.label()),
        Type::as_str_name(&field.r#type()),
        field.type_name(),
        oneof.unwrap_or_default()
    )
}

fn shape(method: &MethodDescriptorProto) -> String {
    let stream = |streams| if streams { "stream " } else { "" };
    format!(
        "{}{} returns {}{}",
        stream(method.client_streaming()),
        method.input_type(),
        stream(method.server_streaming()),
        method.output_type()
    )
}

fn of_the_sdk() -> Facts {
    let (status, out, err) = Process::run("descriptors", PYTHON.install().command("descriptors"));
    assert!(status.success(), "{err}");
    let files: Vec<_> = out
        .lines()
        .map(|line| FileDescriptorProto::decode(bytes(line).as_slice()).unwrap())
        .collect();
    facts(&files)
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The message a field belongs to, if it is a message.
fn owner<'a>(facts: &Facts, name: &'a str) -> Option<&'a str> {
    let (owner, _) = name.rsplit_once('.')?;
    facts
        .get(owner)
        .is_some_and(|said| said == "message")
        .then_some(owner)
}

#[test]
fn numbers_and_types_are_those_of_the_python_sdk() {
    let ours = FileDescriptorSet::decode(api::DESCRIPTORS).unwrap();
    let (ours, theirs) = (facts(&ours.file), of_the_sdk());
    for package in PACKAGES {
        assert!(
            ours.keys().any(|name| name.starts_with(package)),
            "nothing of {package} was compared"
        );
    }
    let mut differences = Vec::new();
    for (name, said) in &ours {
        if theirs.get(name) != Some(said) {
            differences.push(format!(
                "{name}: ours {said:?}, theirs {:?}",
                theirs.get(name)
            ));
        }
    }
    for (name, said) in &theirs {
        if !ours.contains_key(name) && owner(&ours, name).is_some() {
            differences.push(format!("{name}: ours is missing, theirs {said:?}"));
        }
    }
    println!("{} facts compared", ours.len());
    assert!(differences.is_empty(), "{differences:#?}");
}
