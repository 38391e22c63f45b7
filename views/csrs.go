package views

import (
	"cmp"
	"strings"

	"ktriage/internal/table"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
)

// The signers that kubelets ask (k8s.io/api/certificates/v1).
const (
	signerServing = "kubernetes.io/kubelet-serving"
	signerClient  = "kubernetes.io/kube-apiserver-client-kubelet"
)

// waitingPin narrows requests to those that wait for approval.
var waitingPin = Pin{"condition", kube.CSRPending.String()}

func (v *certs) csrSpec() spec[*kube.CSR] {
	return spec[*kube.CSR]{
		name: "certs", one: "request", many: "certificate signing requests", none: "Issued ones are deleted an hour later, so that there are often none.",
		scope: keymap.CSRs, needs: kube.CSRs,
		columns:  csrColumns(v.short),
		orders:   csrOrders(),
		byName:   csrsByName,
		severity: (*kube.CSR).Severity,
		fields:   csrFilterFields(), searched: csrText,
		counts: csrCounts,
		pinned: func(Pin) func(*kube.CSR, kube.Moment) bool {
			return func(c *kube.CSR, _ kube.Moment) bool { return c.Condition == kube.CSRPending }
		},
		state:     func(c *kube.CSR, m kube.Moment) string { return c.Printed + " since " + clock(c.Since, m.Now) },
		diagnosis: csrDiagnosis,
		details:   csrFacts,
		open:      func(*kube.CSR) []Effect { return []Effect{ShowDetails{}} },
		other: func(c *kube.CSR, id keymap.ID) []Effect {
			if id == keymap.CSRNode {
				return []Effect{Open{Place{Pane: "nodes", Name: csrNode(c)}}}
			}
			return nil
		},
		copied: func(c *kube.CSR) string { return c.Name },
		why:    whyNotCSR,
	}
}

// csrColumns are the columns of requests, the most needed first, the condition last.
func csrColumns(short func() bool) []table.Column[*kube.CSR] {
	return []table.Column[*kube.CSR]{
		{ID: "age", Title: "AGE", Min: 5, Right: true,
			Cell: func(c *kube.CSR, m kube.Moment) table.Cell { return plain(text.Age(m.Now, c.Created)) }},
		{ID: "name", Title: "NAME", Min: 14, Max: 40, Middle: true,
			Cell: func(c *kube.CSR, _ kube.Moment) table.Cell { return plain(c.Name) }},
		{ID: "signer", Title: "SIGNER", Min: 15, Max: 60, Middle: true, Drop: 8,
			Cell: func(c *kube.CSR, _ kube.Moment) table.Cell {
				if short() {
					return plain(c.SignerText())
				}
				return plain(c.Signer)
			}},
		{ID: "requestor", Title: "REQUESTOR", Min: 14, Max: 60, Middle: true,
			Cell: func(c *kube.CSR, _ kube.Moment) table.Cell { return plain(c.Requestor) }},
		{ID: "asks", Title: "ASKS FOR", Min: 16, Max: 100, Flex: true, Drop: 1,
			Cell: func(c *kube.CSR, _ kube.Moment) table.Cell { return plain(c.AsksText()) }},
		{ID: "condition", Title: "CONDITION", Min: 9,
			Cell: func(c *kube.CSR, m kube.Moment) table.Cell {
				return table.Cell{Text: lastWord(c.Printed), Token: severityToken(c.Severity(m))}
			}},
	}
}

// lastWord is what has become of a request: of "Approved,Issued" that it is issued.
func lastWord(printed string) string { return printed[strings.LastIndexByte(printed, ',')+1:] }

func csrsByName(a, b *kube.CSR) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.UID, b.UID))
}

func csrOrders() []order[*kube.CSR] {
	return []order[*kube.CSR]{
		{id: "pending", title: "pending first", key: pendingFirst},
		{id: "name", title: "name", column: "name", compare: csrsByName},
		{id: "age", title: "age", column: "age",
			key: func(c *kube.CSR, _ uint8, _ kube.Moment) uint64 { return newest(c.Created) }},
		{id: "signer", title: "signer", column: "signer",
			compare: func(a, b *kube.CSR) int { return strings.Compare(a.Signer, b.Signer) }},
		{id: "requestor", title: "requestor", column: "requestor",
			compare: func(a, b *kube.CSR) int { return strings.Compare(a.Requestor, b.Requestor) }},
	}
}

// pendingFirst is a key that puts first what waits, and of equals the newest.
func pendingFirst(c *kube.CSR, _ uint8, _ kube.Moment) uint64 {
	const waits = 1 << 63
	if c.Condition == kube.CSRPending {
		return waits | newest(c.Created)
	}
	return newest(c.Created)
}

func csrCounts(s *kube.Snapshot[*kube.CSR]) string {
	n := 0
	for i := range s.Len() {
		if s.Row(i).Condition == kube.CSRPending {
			n++
		}
	}
	if n == 0 {
		return "CSRs: none waits for approval"
	}
	return "CSRs: " + text.Plural(n, "waits for approval", "wait for approval")
}

// csrNode is the node that asks, or for which a bootstrap token asks; "" if it is none.
func csrNode(c *kube.CSR) string {
	const node = "system:node:"
	if name, ok := strings.CutPrefix(c.Requestor, node); ok {
		return name
	}
	name, _ := strings.CutPrefix(c.CommonName, node)
	if name == c.CommonName {
		return ""
	}
	return name
}

// csrDiagnosis says what a request means, and who answers it.
func csrDiagnosis(c *kube.CSR, m kube.Moment) []string {
	var out []string
	switch {
	case c.Unreadable != "":
		out = append(out, "the request cannot be read: "+c.Unreadable)
	case c.Condition == kube.CSRPending && c.Strange(m) != "":
		out = append(out, "Do not approve it unseen: "+c.Strange(m)+".")
	case c.Condition == kube.CSRPending && c.Signer == signerServing:
		out = append(out, "Nobody approves these by itself. Until somebody does, metrics, logs and exec of pods on "+
			cmp.Or(csrNode(c), "the node")+" may fail.")
	case c.Condition == kube.CSRPending && c.Signer == signerClient:
		out = append(out, "The controller manager approves these by itself when they are in order. Until then the node cannot join, or renew.")
	}
	if c.Reason != "" {
		out = append(out, c.Reason)
	}
	return append(out, c.Requestor+" asks "+c.Signer+" for "+c.AsksText())
}

// whyNotCSR gives the reason for which a request cannot be decided, "" if it can.
func whyNotCSR(c *kube.CSR, id keymap.ID) string {
	switch id {
	case keymap.CSRNode:
		if csrNode(c) == "" {
			return "it is not for a node"
		}
	case keymap.ApproveCSR, keymap.DenyCSR:
		switch c.Condition {
		case kube.CSRDenied:
			return "it is denied already, and that is for good; whoever asks has to ask again"
		case kube.CSRFailed:
			return "its signer has given up on it; whoever asks has to ask again"
		case kube.CSRApproved, kube.CSRIssued:
			return "it is approved already, and that is for good"
		case kube.CSRPending:
		}
	}
	return ""
}

func csrFacts(c *kube.CSR, m kube.Moment) []Fact {
	facts := []Fact{{"condition", c.Printed + " since " + clock(c.Since, m.Now), c.Severity(m)}}
	facts = append(facts, diagnosisFacts(csrDiagnosis(c, m))...)
	asked := "as long as the signer gives"
	if c.Asked > 0 {
		asked = lasting(c.Asked)
	}
	facts = append(facts,
		Fact{"requestor", c.Requestor, kube.OK},
		Fact{"groups", dash(strings.Join(c.Groups, ", ")), kube.OK},
		Fact{"signer", c.Signer, kube.OK},
		Fact{"subject CN", dash(c.CommonName), kube.OK},
		Fact{"subject O", dash(strings.Join(c.Organizations, ", ")), kube.OK},
		Fact{"DNS", dash(strings.Join(c.DNS, ", ")), kube.OK},
		Fact{"IP", dash(strings.Join(c.IPs, ", ")), kube.OK},
	)
	if len(c.Other) > 0 {
		facts = append(facts, Fact{"other names", strings.Join(c.Other, ", "), kube.OK})
	}
	if c.More > 0 {
		facts = append(facts, Fact{"not shown", text.Plural(c.More, "name", "names"), kube.Warning})
	}
	facts = append(facts,
		Fact{"usages", dash(strings.Join(c.Usages, ", ")), kube.OK},
		Fact{"key", dash(c.Key), kube.OK},
		Fact{"asked for", asked, kube.OK},
	)
	if !c.Ends.IsZero() {
		facts = append(facts, Fact{"issued until", utc(c.Ends), kube.OK})
	}
	return append(facts, Fact{"age", absolute(c.Created, m.Now), kube.OK}, Fact{"uid", c.UID, kube.OK})
}
