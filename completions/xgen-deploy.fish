xgen-deploy completion fish | source
