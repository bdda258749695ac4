//go:build !cgo

package dividere

// The package is a binding over a library in C: without cgo there is nothing of it, which is said here in words.
var _ = dividere_needs_cgo__set_CGO_ENABLED_to_1_and_install_a_C_compiler
