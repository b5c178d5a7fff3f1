module seb/tests/peers

// Go 1.19 and 1.20 build this too, to them the line is advice. Newer ones want it no older than what the modules below say (1.21.0), and
// Debian 12's 1.19 can't read a version of three numbers.
go 1.22

require (
	github.com/coreos/go-oidc/v3 v3.9.0
	github.com/go-jose/go-jose/v3 v3.0.4
	github.com/google/go-tpm v0.3.3
	github.com/transparency-dev/formats v0.0.0-20240826204810-ad21d25a1c7f
	github.com/transparency-dev/merkle v0.0.2
	golang.org/x/mod v0.20.0
)

require (
	github.com/cisco/go-tls-syntax v0.0.0-20200617162716-46b0cfb76b9b // indirect
	github.com/golang/protobuf v1.5.3 // indirect
	golang.org/x/crypto v0.19.0 // indirect
	golang.org/x/oauth2 v0.13.0 // indirect
	golang.org/x/sys v0.17.0 // indirect
	google.golang.org/appengine v1.6.8 // indirect
	google.golang.org/protobuf v1.31.0 // indirect
)
