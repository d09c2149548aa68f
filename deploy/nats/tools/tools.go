//go:build tools

// Package tools pins the nats-server and the nats CLI that a checkout builds for itself; go.sum holds their sums.
package tools

import (
	_ "github.com/nats-io/nats-server/v2"
	_ "github.com/nats-io/natscli/nats"
)
