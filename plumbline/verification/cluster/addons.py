"""What a cluster has beside Kubernetes itself: DNS, and disks for claims."""

from __future__ import annotations

from pathlib import Path

from plumbline.verification.cluster import network

DISKS = 8
_STORAGE_CLASS = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: shared, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
"""


def disks(folder: Path, nodes: list[str]) -> str:
    """Return disks that every node can mount, as those of a network are: folders of this machine."""
    documents = [_STORAGE_CLASS]
    for number in range(DISKS):
        place = folder / f"disk{number}"
        place.mkdir(parents=True, exist_ok=True)
        documents.append(f"""
apiVersion: v1
kind: PersistentVolume
metadata: {{name: disk{number}}}
spec:
  capacity: {{storage: 100Gi}}
  accessModes: [ReadWriteOnce]
  storageClassName: shared
  persistentVolumeReclaimPolicy: Retain
  local: {{path: {place}}}
  nodeAffinity:
    required:
      nodeSelectorTerms:
        - matchExpressions: [{{key: kubernetes.io/hostname, operator: In, values: [{", ".join(nodes)}]}}]
""")
    return "---".join(documents)


def dns(image: str) -> str:
    """Return CoreDNS, two pods as managed clusters have."""
    return f"""
apiVersion: v1
kind: ServiceAccount
metadata: {{name: coredns, namespace: kube-system}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: coredns}}
rules:
  - {{apiGroups: [""], resources: [endpoints, services, pods, namespaces], verbs: [list, watch]}}
  - {{apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: coredns}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: coredns}}
subjects: [{{kind: ServiceAccount, name: coredns, namespace: kube-system}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: coredns, namespace: kube-system}}
data:
  Corefile: |
    .:53 {{
      errors
      health
      ready
      kubernetes cluster.local in-addr.arpa
      cache 30
    }}
---
apiVersion: v1
kind: Service
metadata: {{name: kube-dns, namespace: kube-system, labels: {{k8s-app: kube-dns}}}}
spec:
  clusterIP: {network.DNS}
  selector: {{k8s-app: kube-dns}}
  ports:
    - {{name: dns, port: 53, protocol: UDP}}
    - {{name: dns-tcp, port: 53, protocol: TCP}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: coredns, namespace: kube-system}}
spec:
  replicas: 2
  selector: {{matchLabels: {{k8s-app: kube-dns}}}}
  template:
    metadata: {{labels: {{k8s-app: kube-dns}}}}
    spec:
      serviceAccountName: coredns
      priorityClassName: system-cluster-critical
      dnsPolicy: Default
      tolerations: [{{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}}]
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector: {{matchLabels: {{k8s-app: kube-dns}}}}
      containers:
        - name: coredns
          image: {image}
          args: [-conf, /etc/coredns/Corefile]
          resources: {{requests: {{cpu: 100m, memory: 70Mi}}, limits: {{memory: 170Mi}}}}
          volumeMounts: [{{name: config, mountPath: /etc/coredns}}]
          readinessProbe: {{httpGet: {{path: /ready, port: 8181}}, periodSeconds: 2}}
      volumes: [{{name: config, configMap: {{name: coredns}}}}]
"""
