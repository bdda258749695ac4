package dividere

// CURVE keys.

// #include "shim.h"
import "C"

import "unsafe"

// A KeyPair is a pair of CURVE keys, as 40 characters of Z85 each. The public one names its owner and goes to the other
// side; the secret one stays.
type KeyPair struct {
	// Public is the key for the other side, Secret the one to keep.
	Public, Secret string
}

// NewKeyPair makes a pair from the random numbers of the system. ErrUnsupported where the build has no CURVE.
func NewKeyPair() (KeyPair, error) {
	var public, secret C.dividere_key_t
	err := check(func() C.dividere_status_t { return C.dividere_curve_keypair(&public, &secret) })
	if err != nil {
		return KeyPair{}, err
	}
	return KeyPair{Public: C.GoString(&public.text[0]), Secret: C.GoString(&secret.text[0])}, nil
}

// PublicKey gives the public key that belongs to a secret one. ErrInvalidArgument where it is no key.
func PublicKey(secretKey string) (string, error) {
	if err := withoutNul(secretKey); err != nil {
		return "", err
	}
	secret := C.CString(secretKey)
	defer C.free(unsafe.Pointer(secret))
	var public C.dividere_key_t
	err := check(func() C.dividere_status_t { return C.dividere_curve_public(secret, &public) })
	if err != nil {
		return "", err
	}
	return C.GoString(&public.text[0]), nil
}
