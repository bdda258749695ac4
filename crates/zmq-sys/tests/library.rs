//! What the linked libzmq is: its version, and what it was built with.

use std::ffi::CString;

fn has(capability: &str) -> bool {
    let name = CString::new(capability).unwrap();
    // SAFETY: a text that ends with a NUL.
    unsafe { zmq_sys::zmq_has(name.as_ptr()) == 1 }
}

#[test]
fn libzmq_is_4_3_5() {
    assert_eq!(zmq_sys::version(), (4, 3, 5));
    assert_eq!(zmq::version(), (4, 3, 5), "the zmq crate links another libzmq");
}

#[test]
fn libzmq_has_curve_and_ipc() {
    assert!(has("curve"), "built without CURVE");
    assert!(has("ipc"), "built without ipc");
    assert!(
        !has("draft"),
        "the draft API changes structures; nothing here expects it"
    );
}

#[test]
fn curve_keys_of_a_pair_belong_together() {
    let pair = zmq::CurveKeyPair::new().unwrap();
    let secret = CString::new(zmq::z85_encode(&pair.secret_key).unwrap()).unwrap();
    let mut public = [0u8; 41];
    // SAFETY: 41 bytes to write to, and a text of 40 characters that ends with a NUL.
    let rc = unsafe { zmq_sys::zmq_curve_public(public.as_mut_ptr().cast(), secret.as_ptr()) };
    assert_eq!(rc, 0);
    assert_eq!(&public[..40], zmq::z85_encode(&pair.public_key).unwrap().as_bytes());
}
