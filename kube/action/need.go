package action

// Need is one permission, as RBAC names it.
type Need struct {
	Verb, Group, Resource, Subresource string
	Namespace                          string // "" for all
}

// String names the permission as an administrator would grant it: "create pods/eviction".
func (n Need) String() string {
	s := n.Verb + " " + n.Resource
	if n.Subresource != "" {
		s += "/" + n.Subresource
	}
	if n.Namespace != "" {
		s += " in " + n.Namespace
	}
	return s
}
