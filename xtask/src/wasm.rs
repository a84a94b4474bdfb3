//! The core as WebAssembly. A module that imports nothing cannot reach a clock, a random number generator, a file or
//! a socket, whatever its dependencies would like to do: the cheapest proof that the core is pure.

use std::fs;

use crate::{
    process::{cargo, run},
    workspace::Workspace,
};

/// The target without an operating system.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Builds the core and looks at what the module imports.
pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    // A library that nobody calls would be linked to an empty module. These flags keep all its code, and with it every
    // import that any of it uses.
    run(cargo(&workspace.root)
        .args(["rustc", "--package", "openpeer-core", "--lib", "--crate-type", "cdylib", "--target", TARGET])
        .args(["--", "-C", "link-dead-code", "-C", "link-args=--no-gc-sections"]))?;
    let file = workspace.target.join(TARGET).join("debug/openpeer_core.wasm");
    let module = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;

    let imports = imports(&module).ok_or("the module's import section does not parse")?;
    if !imports.is_empty() {
        return Err(format!("the core imports {}; it has to work without a host", imports.join(", ")));
    }
    // The linker writes function names into the module; without the core's own the proof would prove nothing.
    if !contains(&module, b"openpeer_core") {
        return Err("the module holds no code of openpeer-core".to_owned());
    }
    println!("{} bytes of WebAssembly, no imports", module.len());
    Ok(())
}

/// The imports of a module as `module.name`; `None` when it is not a module.
fn imports(module: &[u8]) -> Option<Vec<String>> {
    let mut module = Reader(module);
    if module.take(8)? != b"\0asm\x01\0\0\0" {
        return None;
    }
    while !module.0.is_empty() {
        let section = module.byte()?;
        let length = module.number()?;
        let content = module.take(length)?;
        if section == IMPORT_SECTION {
            return Reader(content).imports();
        }
    }
    Some(Vec::new())
}

/// WebAssembly core specification 5.5.5.
const IMPORT_SECTION: u8 = 2;

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn imports(&mut self) -> Option<Vec<String>> {
        let count = self.number()?;
        (0..count).map(|_| self.import()).collect()
    }

    fn import(&mut self) -> Option<String> {
        let name = format!("{}.{}", self.name()?, self.name()?);
        match self.byte()? {
            0x00 => self.number().map(drop)?,                   // function: type
            0x01 => (self.byte()?, self.limits()?).1,           // table: element type, limits
            0x02 => self.limits()?,                             // memory: limits
            0x03 => self.take(2).map(drop)?,                    // global: value type, mutability
            0x04 => (self.byte()?, self.number().map(drop)?).1, // tag: attribute, type
            _ => return None,
        }
        Some(name)
    }

    fn limits(&mut self) -> Option<()> {
        let has_maximum = self.byte()? & 1 == 1;
        self.number()?;
        if has_maximum { self.number().map(drop) } else { Some(()) }
    }

    fn name(&mut self) -> Option<String> {
        let length = self.number()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    /// An unsigned LEB128 number of at most 32 bits.
    fn number(&mut self) -> Option<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).ok();
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"\0asm\x01\0\0\0";

    fn module(sections: &[&[u8]]) -> Vec<u8> {
        [&[HEADER], sections].concat().concat()
    }

    #[test]
    fn a_module_without_import_section_imports_nothing() {
        assert_eq!(imports(&module(&[b"\x01\x04\x01\x60\x00\x00"])), Some(vec![]));
    }

    #[test]
    fn imports_of_every_kind_are_named() {
        let function = b"\x02\x0b\x01\x03env\x03now\x00\x00";
        assert_eq!(imports(&module(&[b"\x01\x04\x01\x60\x00\x00", function])), Some(vec!["env.now".into()]));
        let memory_and_global = b"\x02\x0f\x02\x01a\x01m\x02\x01\x00\x10\x01b\x01g\x03\x7f";
        assert_eq!(imports(&module(&[memory_and_global])), None, "truncated");
        let memory_and_global = b"\x02\x10\x02\x01a\x01m\x02\x01\x00\x10\x01b\x01g\x03\x7f\x00";
        assert_eq!(imports(&module(&[memory_and_global])), Some(vec!["a.m".into(), "b.g".into()]));
    }

    #[test]
    fn what_is_not_a_module_is_not_read_as_one_without_imports() {
        assert_eq!(imports(b""), None);
        assert_eq!(imports(b"\x7fELF\x01\0\0\0"), None);
        assert_eq!(imports(&module(&[b"\x02\xff\xff\xff\xff\xff"])), None);
    }
}
