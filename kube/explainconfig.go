package kube

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ktriage/internal/text"
)

// CheckConfig gives an error if there is no cluster to talk to: no kubeconfig, a broken one, or one without what flags
// ask for. It reads files and never the network. Connect would fail too, or worse, try http://localhost:8080 as kubectl
// does; the errors from here know the file, the line and the names that there are.
func CheckConfig(flags *genericclioptions.ConfigFlags) error {
	loader := flags.ToRawKubeConfigLoader()
	raw, err := loader.RawConfig()
	if err != nil {
		return readError(loader.ConfigAccess(), err)
	}
	if !namesACluster(raw, flags) {
		if len(raw.Contexts) == 0 {
			return &noConfig{files: configFiles(loader.ConfigAccess())}
		}
		return &unknownName{what: "context", known: contexts(raw)}
	}
	context := currentContext(raw, flags)
	found, ok := raw.Contexts[context]
	if context != "" && !ok {
		return &unknownName{what: "context", name: context, known: contexts(raw)}
	}
	if err := checkPointers(raw, flags, context, found); err != nil {
		return err
	}
	if err := checkFiles(raw, found); err != nil {
		return &brokenConfig{err: err}
	}
	if _, err := loader.ClientConfig(); err != nil {
		return &brokenConfig{err: err}
	}
	return nil
}

// checkFiles refuses what a context names as a file and is none: client-go would read a device until the memory is full, and
// wait for ever for somebody to write into a pipe. What is not there, or may not be read, client-go says.
func checkFiles(raw clientcmdapi.Config, at *clientcmdapi.Context) error {
	if at == nil {
		return nil
	}
	var files []string
	if c := raw.Clusters[at.Cluster]; c != nil {
		files = append(files, c.CertificateAuthority)
	}
	if u := raw.AuthInfos[at.AuthInfo]; u != nil {
		files = append(files, u.ClientCertificate, u.ClientKey, u.TokenFile)
	}
	for _, name := range files {
		if about, err := os.Stat(name); name != "" && err == nil && !about.Mode().IsRegular() {
			return fmt.Errorf("%s, which it names, is not a file", name)
		}
	}
	return nil
}

// namesACluster reports whether flags, files or surroundings say which cluster is meant.
func namesACluster(raw clientcmdapi.Config, flags *genericclioptions.ConfigFlags) bool {
	if currentContext(raw, flags) != "" && len(raw.Contexts) > 0 {
		return true
	}
	if set(flags.ClusterName) || set(flags.APIServer) || os.Getenv("KUBERNETES_MASTER") != "" {
		return true
	}
	_, err := rest.InClusterConfig()
	return !errors.Is(err, rest.ErrNotInCluster)
}

func set(flag *string) bool { return flag != nil && *flag != "" }

func contexts(raw clientcmdapi.Config) []string {
	var names []string
	for name := range raw.Contexts {
		names = append(names, name)
	}
	return names
}

func configFiles(access clientcmd.ConfigAccess) []string {
	if access.IsExplicitFile() {
		return []string{access.GetExplicitFile()}
	}
	return access.GetLoadingPrecedence()
}

// readError finds out which file cannot be read, and where.
func readError(access clientcmd.ConfigAccess, err error) error {
	for _, file := range configFiles(access) {
		if _, broken := clientcmd.LoadFromFile(file); broken != nil && (access.IsExplicitFile() || !os.IsNotExist(broken)) {
			return &brokenConfig{file: file, err: broken}
		}
	}
	return &brokenConfig{err: err}
}

// checkPointers gives an error if a context, or a flag in its place, points at what is not there. client-go lets that
// pass: without the cluster it takes localhost:8080, without the user it goes there as nobody.
func checkPointers(
	raw clientcmdapi.Config, flags *genericclioptions.ConfigFlags, context string, at *clientcmdapi.Context,
) error {
	if at == nil {
		at = &clientcmdapi.Context{}
	}
	cluster, user := at.Cluster, at.AuthInfo
	if set(flags.ClusterName) {
		cluster = *flags.ClusterName
	}
	if set(flags.AuthInfoName) {
		user = *flags.AuthInfoName
	}
	if _, ok := raw.Clusters[cluster]; !ok && context+cluster != "" && !set(flags.APIServer) {
		return &danglingContext{context: context, what: "cluster", name: cluster, flag: set(flags.ClusterName)}
	}
	credentials := set(flags.BearerToken) || set(flags.CertFile)
	if _, ok := raw.AuthInfos[user]; !ok && user != "" && !credentials {
		return &danglingContext{context: context, what: "user", name: user, flag: set(flags.AuthInfoName)}
	}
	return nil
}

// noConfig says that nothing names a cluster.
type noConfig struct{ files []string }

func (e *noConfig) Error() string { return "no kubeconfig names a cluster" }

func (e *noConfig) explain() Explanation {
	return Explanation{
		Sentence: "No kubeconfig names a cluster: looked for " + text.Clean(strings.Join(e.files, ", ")) + ".",
		Next:     "Set KUBECONFIG, or use --kubeconfig FILE.", Code: ExitConfig,
	}
}

// brokenConfig says that a kubeconfig cannot be used.
type brokenConfig struct {
	file string // "" if it is not one file that is to blame
	err  error
}

func (e *brokenConfig) Error() string {
	return fmt.Sprintf("load the kubeconfig %s: %v", e.file, e.err)
}
func (e *brokenConfig) Unwrap() error { return e.err }

// yamlPlace is how sigs.k8s.io/yaml names a line.
var yamlPlace = regexp.MustCompile(`yaml: line (\d+): (.*)`)

func (e *brokenConfig) explain() Explanation {
	out := Explanation{Code: ExitConfig, Next: "Correct the file, or use another one: --kubeconfig FILE."}
	file := text.Clean(e.file)
	place := yamlPlace.FindStringSubmatch(e.err.Error())
	var path *fs.PathError
	switch {
	case errors.Is(e.err, fs.ErrNotExist) && e.file != "":
		out.Sentence = "There is no kubeconfig " + file + "."
		out.Next = "Check --kubeconfig and KUBECONFIG."
	case errors.Is(e.err, fs.ErrPermission) && e.file != "":
		out.Sentence = "The kubeconfig " + file + " may not be read by you."
		out.Next = "Check its owner and mode, or use another one: --kubeconfig FILE."
	case errors.As(e.err, &path) && e.file != "":
		out.Sentence = "The kubeconfig " + file + " cannot be read: " + text.Clean(path.Err.Error()) + "."
	case place != nil:
		out.Sentence = fmt.Sprintf("The kubeconfig %s is not valid YAML at line %s: %s.", file, place[1], text.Clean(place[2]))
	case e.file != "":
		out.Sentence = "The kubeconfig " + file + " is not one: " + text.Clean(e.err.Error()) + "."
	default:
		out.Sentence = "The kubeconfig cannot be used: " + strings.TrimRight(text.Clean(withoutPassword(e.err.Error())), ".") + "."
		out.Next = "Correct it, or use another one: --kubeconfig FILE."
	}
	return out
}

// secret is the user and the password of an address.
var secret = regexp.MustCompile(`://[^/@\s]+@`)

// withoutPassword takes the credentials out of the addresses in a text.
func withoutPassword(s string) string { return secret.ReplaceAllString(s, "://***@") }

// unknownName says that a name stands nowhere in the kubeconfig. Without a name none was given.
type unknownName struct {
	what, name string
	known      []string
}

func (e *unknownName) Error() string { return fmt.Sprintf("no %s %q", e.what, e.name) }

// knownShown is how many of the names that there are an explanation gives.
const knownShown = 5

func (e *unknownName) explain() Explanation {
	out := Explanation{Code: ExitConfig}
	out.Sentence = fmt.Sprintf("There is no %s %q in the kubeconfig.", e.what, text.Clean(e.name))
	if e.name == "" {
		out.Sentence = fmt.Sprintf("The kubeconfig has no current %s, and none was chosen.", e.what)
	}
	near := nearest(e.name, e.known)
	list := text.Clean(strings.Join(near[:min(len(near), knownShown)], ", "))
	switch {
	case len(near) == 0:
		out.Next = fmt.Sprintf("It has no %ss at all; use another one: --kubeconfig FILE.", e.what)
	case len(near) <= knownShown:
		out.Next = fmt.Sprintf("Use --%s with one of: %s.", e.what, list)
	default:
		out.Next = fmt.Sprintf("Use --%s; the nearest of %d are: %s.", e.what, len(near), list)
	}
	return out
}

// nearest orders names by how alike they are to one of them mistyped.
func nearest(name string, known []string) []string {
	name = strings.ToLower(name)
	away := func(other string) int {
		other = strings.ToLower(other)
		if name != "" && strings.Contains(other, name) {
			return 0
		}
		return distance(name, other)
	}
	return slices.SortedFunc(slices.Values(known), func(a, b string) int {
		return cmp.Or(cmp.Compare(away(a), away(b)), cmp.Compare(a, b))
	})
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// danglingContext says that a context names a cluster or a user that the kubeconfig does not have.
type danglingContext struct {
	context, what, name string
	flag                bool // the name comes from a flag
}

func (e *danglingContext) Error() string {
	return fmt.Sprintf("context %q: no %s %q", e.context, e.what, e.name)
}

func (e *danglingContext) explain() Explanation {
	name := text.Clean(e.name)
	switch {
	case e.flag:
		return Explanation{
			Sentence: fmt.Sprintf("There is no %s %q in the kubeconfig.", e.what, name),
			Next:     fmt.Sprintf("Check --%s; kubectl config view shows what there is.", e.what), Code: ExitConfig,
		}
	case e.name == "":
		return Explanation{
			Sentence: fmt.Sprintf("The context %q of the kubeconfig names no %s.", text.Clean(e.context), e.what),
			Next:     fmt.Sprintf("Use --%s, or another --context.", e.what), Code: ExitConfig,
		}
	}
	return Explanation{
		Sentence: fmt.Sprintf("The context %q names the %s %q, which the kubeconfig does not have.",
			text.Clean(e.context), e.what, name),
		Next: fmt.Sprintf("Was a file left out of KUBECONFIG? Otherwise use --%s, or another --context.", e.what), Code: ExitConfig,
	}
}
