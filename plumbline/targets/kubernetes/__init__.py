"""The kubernetes target: the stack in a namespace of a cluster, from an overlay of k8s/."""
