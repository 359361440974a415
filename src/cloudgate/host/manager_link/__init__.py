"""Link to the manager: what do the two tell each other, through all that breaks between?"""
