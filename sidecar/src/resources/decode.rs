//! Decoding on top of what is already there.
//!
//! Several configuration files are decoded into the same object: members
//! that a file names change, the others stay. Objects merge, lists and
//! free-form values are replaced, maps of text merge by key, `null` drops an
//! object or a list and leaves a plain scalar alone. Mirrors how Go's YAML
//! package decodes into an existing value.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// A value that can be decoded in place.
pub(super) trait Decode {
    fn decode<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error>;
}

/// An object with named members.
pub(super) trait Members {
    /// Decodes the value of `key`, or skips it when there is no such member.
    fn member<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Lets a [`Decode`] target stand where serde wants a seed.
pub(super) struct InPlace<'a, T>(pub(super) &'a mut T);

impl<'de, T: Decode> DeserializeSeed<'de> for InPlace<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.decode(deserializer)
    }
}

/// Visits an object; `null` leaves it as it is.
pub(super) struct Object<'a, T>(pub(super) &'a mut T);

impl<'de, T: Members> Visitor<'de> for Object<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.0.member(&key, &mut map)?;
        }
        Ok(())
    }
}

/// Implements [`Decode`] and [`Members`] for a struct: key, then field.
macro_rules! object {
    ($type:ty { $($key:literal => $field:ident),* $(,)? }) => {
        impl $crate::resources::decode::Members for $type {
            fn member<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                key: &str,
                map: &mut A,
            ) -> Result<(), A::Error> {
                match key {
                    $($key => map.next_value_seed($crate::resources::decode::InPlace(&mut self.$field)),)*
                    _ => $crate::resources::decode::skip(map),
                }
            }
        }

        impl $crate::resources::decode::Decode for $type {
            fn decode<'de, D: serde::de::Deserializer<'de>>(
                &mut self,
                deserializer: D,
            ) -> Result<(), D::Error> {
                deserializer.deserialize_option($crate::resources::decode::Object(self))
            }
        }
    };
}
pub(super) use object;

/// Passes over a value nobody asked for.
pub(super) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(|_| ())
}

impl<T: Decode + Default> Decode for Option<T> {
    fn decode<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(Nullable(self))
    }
}

struct Nullable<'a, T>(&'a mut Option<T>);

impl<'de, T: Decode + Default> Visitor<'de> for Nullable<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        *self.0 = None;
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        *self.0 = None;
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.get_or_insert_default().decode(deserializer)
    }
}

/// Scalars: the last one given wins, `null` gives none.
macro_rules! scalar {
    ($($type:ty),*) => {$(
        impl Decode for $type {
            fn decode<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
                if let Some(value) = Option::<Self>::deserialize(deserializer)? {
                    *self = value;
                }
                Ok(())
            }
        }
    )*};
}
scalar!(String, bool, i64);

impl Decode for serde_json::Value {
    fn decode<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        *self = Self::deserialize(deserializer)?;
        Ok(())
    }
}

impl Decode for BTreeMap<String, String> {
    fn decode<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        match Option::<Self>::deserialize(deserializer)? {
            Some(newer) => self.extend(newer),
            None => self.clear(),
        }
        Ok(())
    }
}

impl<T: Decode + Default> Decode for Vec<T> {
    fn decode<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        *self = deserializer.deserialize_option(List(PhantomData))?;
        Ok(())
    }
}

struct List<T>(PhantomData<T>);

impl<'de, T: Decode + Default> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_none<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_unit<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        loop {
            let mut element = T::default();
            if seq.next_element_seed(InPlace(&mut element))?.is_none() {
                return Ok(list);
            }
            list.push(element);
        }
    }
}
