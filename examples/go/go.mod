module example.com/dividere-examples

go 1.23

require (
	example.com/dividere v0.0.0
	google.golang.org/protobuf v1.36.12
)

replace example.com/dividere => ../../bindings/go
