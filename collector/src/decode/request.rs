//! The outer levels of a request, which all three signals share: resource, then scope, then
//! items. Takes the body, gives one group per scope with resource and scope read once; what an
//! item is, it does not know.

use super::limits::ATTRIBUTES_MAX;
use super::span::u32_of;
use super::value::Attribute;
use super::wire::{Fault, Fields};

/// Who sent the items of a group.
#[derive(Debug, Default)]
pub struct Resource<'a> {
    /// Attributes, in order.
    pub attributes: Vec<Attribute<'a>>,
    /// Version of the semantic conventions, as a URL; empty when not said.
    pub schema_url: &'a str,
    /// Attributes the client dropped, and those beyond [`ATTRIBUTES_MAX`].
    pub dropped: u64,
}

/// The instrumentation library that made the items of a group.
#[derive(Debug, Default)]
pub struct Scope<'a> {
    /// Name of the library.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Attributes, in order.
    pub attributes: Vec<Attribute<'a>>,
    /// Version of the semantic conventions, as a URL; empty when not said.
    pub schema_url: &'a str,
}

/// The items of one scope of one resource.
#[derive(Debug)]
pub struct Group<'a, 's> {
    /// Their resource.
    pub resource: &'s Resource<'a>,
    /// Their scope.
    pub scope: &'s Scope<'a>,
    items: Fields<'a>,
}

impl<'a> Group<'a, '_> {
    /// The messages of the items: spans, metrics or log records.
    pub fn items(&self) -> impl Iterator<Item = Result<&'a [u8], Fault>> + use<'a> {
        messages(self.items.clone(), 2)
    }
}

/// Visits every group of an export request, in order.
///
/// `Export{Trace,Metrics,Logs}ServiceRequest { 1: Resource* }`, `Resource* { 1: resource,
/// 2: Scope*, 3: schema_url }`, `Scope* { 1: scope, 2: items, 3: schema_url }`. A writer may put
/// the numbers in any order, so each level is gone through twice: first for what describes it.
pub(super) fn groups<'a>(
    body: &'a [u8],
    mut visit: impl FnMut(&Group<'a, '_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    for of_resource in messages(Fields::of(body), 1) {
        let of_resource = of_resource?;
        let resource = read_resource(of_resource)?;
        for of_scope in messages(Fields::of(of_resource), 2) {
            let of_scope = of_scope?;
            let scope = read_scope(of_scope)?;
            let items = Fields::of(of_scope);
            visit(&Group { resource: &resource, scope: &scope, items })?;
        }
    }
    Ok(())
}

/// The sub-messages in field `number`, in order; a fault ends the iteration.
pub(crate) fn messages(
    fields: Fields<'_>,
    number: u32,
) -> impl Iterator<Item = Result<&[u8], Fault>> {
    let mut fields = Some(fields);
    std::iter::from_fn(move || {
        loop {
            match fields.as_mut()?.next() {
                Ok(Some(field)) if field.number == number => return Some(field.bytes()),
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(fault) => {
                    fields = None;
                    return Some(Err(fault));
                }
            }
        }
    })
}

fn read_resource(message: &[u8]) -> Result<Resource<'_>, Fault> {
    let mut resource = Resource::default();
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => {
                let mut inner = Fields::of(field.bytes()?);
                while let Some(field) = inner.next()? {
                    match field.number {
                        1 => {
                            let attribute = Attribute::read(field.bytes()?)?;
                            match resource.attributes.len() < ATTRIBUTES_MAX {
                                true => resource.attributes.push(attribute),
                                false => resource.dropped += 1,
                            }
                        }
                        2 => resource.dropped += u32_of(field.varint()?),
                        _ => {}
                    }
                }
            }
            3 => resource.schema_url = field.text()?,
            _ => {}
        }
    }
    Ok(resource)
}

fn read_scope(message: &[u8]) -> Result<Scope<'_>, Fault> {
    let mut scope = Scope::default();
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => {
                let mut inner = Fields::of(field.bytes()?);
                while let Some(field) = inner.next()? {
                    match field.number {
                        1 => scope.name = field.text()?,
                        2 => scope.version = field.text()?,
                        3 => {
                            let attribute = Attribute::read(field.bytes()?)?;
                            if scope.attributes.len() < ATTRIBUTES_MAX {
                                scope.attributes.push(attribute);
                            }
                        }
                        _ => {}
                    }
                }
            }
            3 => scope.schema_url = field.text()?,
            _ => {}
        }
    }
    Ok(scope)
}
