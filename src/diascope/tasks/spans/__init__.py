"""Parts of the tasks that find spans of a text: tags, the network, candidates, figures."""
