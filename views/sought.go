package views

import (
	"slices"
	"strings"

	"ktriage/internal/filter"
	"ktriage/kube"
)

// lines is a text to be searched, made of its parts.
func lines(parts ...string) string { return filter.Lower(strings.Join(parts, string(filter.FieldEnd))) }

// certSought is what a filter looks at in certificates.
func certSought() sought[*kube.Cert] {
	return sought[*kube.Cert]{many: "certificates", fields: certFilterFields(), text: certText}
}

// certText is what (*kube.Cert).Matches looks through.
func certText(c *kube.Cert, m kube.Moment) string {
	parts := []string{c.Name, c.Kind.String(), c.Unseen, c.LeftText(m.Now)}
	for i := range c.Places {
		p := &c.Places[i]
		parts = append(parts, p.Name, p.Where, p.Note, p.Authority, p.Source.String(), p.Failed)
	}
	if x := c.X509; x != nil {
		parts = slices.Concat(parts, []string{x.Subject, x.Issuer}, x.DNS, x.IPs, x.Other)
	}
	return lines(parts...)
}

// csrSought is what a filter looks at in signing requests.
func csrSought() sought[*kube.CSR] {
	return sought[*kube.CSR]{many: "certificate signing requests", fields: csrFilterFields(), text: csrText}
}

// csrText is what (*kube.CSR).Matches looks through.
func csrText(c *kube.CSR, _ kube.Moment) string {
	return lines(slices.Concat([]string{c.Name, c.Signer, c.Requestor, c.Printed, c.CommonName, c.Reason, c.Key},
		c.Organizations, c.DNS, c.IPs, c.Other, c.Groups, c.Usages)...)
}

// eventSought is what a filter looks at in events.
func eventSought() sought[*kube.Event] {
	return sought[*kube.Event]{many: "events", fields: eventFilterFields(), text: eventText}
}

// groupSought is what a filter looks at in groups of events.
func groupSought() sought[*kube.EventGroup] {
	return sought[*kube.EventGroup]{many: "groups of events", fields: eventGroupFilterFields(), text: groupText}
}

// containerSought is what a filter looks at in containers.
func containerSought() sought[*kube.Container] {
	return sought[*kube.Container]{many: "containers", fields: containerFilterFields(), text: func(c *kube.Container, _ kube.Moment) string {
		return lines(c.Ref().FullName(), c.Node)
	}}
}

// totalSought is what a filter looks at in totals.
func totalSought() sought[*kube.Total] {
	return sought[*kube.Total]{many: "totals", fields: totalFilterFields(), text: func(t *kube.Total, _ kube.Moment) string {
		return lines(totalName(t))
	}}
}
