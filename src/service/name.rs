//! The name of a service, where it is named after a type.

/// The name of `T` for a service: its path, with dots, so that `acme::Clock` is "acme.Clock"; as dividere 2.2.0 names a
/// service by its class and the module of that. Without generic arguments.
///
/// The path is what the compiler says (`std::any::type_name`): it stays the same as long as the type stays where it is.
pub fn service_name<T: ?Sized>() -> String {
    let path = std::any::type_name::<T>();
    path.split('<').next().unwrap_or_default().replace("::", ".")
}

#[cfg(test)]
mod tests {
    use super::service_name;

    struct Clock;
    struct Generic<T>(std::marker::PhantomData<T>);

    #[test]
    fn it_is_the_path_with_dots_and_without_arguments() {
        assert_eq!(service_name::<Clock>(), "dividere.service.name.tests.Clock");
        assert_eq!(
            service_name::<Generic<Vec<u8>>>(),
            "dividere.service.name.tests.Generic"
        );
        assert_eq!(
            service_name::<crate::proto::Ack>(),
            std::any::type_name::<crate::proto::Ack>().replace("::", ".")
        );
    }
}
