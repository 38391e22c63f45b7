package certs

import (
	"context"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// newest reads a resource of certificates.k8s.io in the newest version that the server has: v1 since 1.37, v1beta1 before,
// and none where that is not switched on.
func (i *Inventory) newest(ctx context.Context, resource string, read func(prefix string) error) error {
	for _, version := range [...]string{"v1", "v1beta1"} {
		prefix := "/apis/certificates.k8s.io/" + version
		err := i.ifServed(ctx, prefix, resource, read(prefix))
		if !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// speaksOfTLS reports whether a message of Go's libraries is about a certificate.
func speaksOfTLS(message string) bool {
	return strings.Contains(message, "x509: ") || strings.Contains(message, "tls: ") || strings.Contains(message, "certificate")
}
