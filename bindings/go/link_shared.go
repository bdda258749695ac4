//go:build !dividere_static

package dividere

// #cgo pkg-config: dividere
import "C"
